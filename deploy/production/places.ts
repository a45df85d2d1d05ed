import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where everything of the installation lies. Nothing is written elsewhere but to `socketsDir`. */
export type Places = {
  readonly dir: string;
  /** File of the directory. */
  readonly file: (name: string) => string;
  /** Files with mode 0600 in a directory with mode 0700: passwords, keys, tokens. */
  readonly secret: (name: string) => string;
  readonly certificate: (name: string) => string;
  readonly config: (name: string) => string;
  readonly log: (process: string) => string;
};

export const makePlaces = (dir: string): Places => {
  mkdirSync(dir, { recursive: true });
  // PostgreSQL runs as another user when we are root, and must reach its own directory in here.
  chmodSync(dir, process.getuid?.() === 0 ? 0o711 : 0o700);
  for (const name of ['secrets', 'certificates', 'config', 'log', 'etcd', 'bin']) {
    mkdirSync(join(dir, name), { recursive: true, mode: 0o700 });
  }
  return {
    dir,
    file: (name) => join(dir, name),
    secret: (name) => join(dir, 'secrets', name),
    certificate: (name) => join(dir, 'certificates', name),
    config: (name) => join(dir, 'config', name),
    log: (process) => join(dir, 'log', `${process}.log`),
  };
};
