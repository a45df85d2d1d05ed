import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../start/state-dir.ts';
import { fetchTools } from '../tools/fetch.ts';
import { findProgram, type Program } from '../tools/program.ts';

export type ServerPrograms = {
  readonly postgres: Program;
  readonly initdb: Program;
  readonly etcd: Program;
  readonly haproxy: Program;
};

/** Finds or brings the servers. Throws with the commands to type where that does not work. */
export const prepareServers = async (options: {
  readonly toolsDir: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}): Promise<ServerPrograms> => {
  const results = await fetchTools({ ...options, wanted: ['postgres', 'etcd', 'haproxy'] });
  const missing = [...results].flatMap(([name, result]) =>
    result.kind === 'found' ? [] : [`${name}: ${result.reason}; ${result.cure}`],
  );
  const [postgres, initdb, etcd, haproxy] = (
    ['postgres', 'initdb', 'etcd', 'haproxy'] as const
  ).map((name) => findProgram(name, options.toolsDir));
  if (!postgres || !initdb || !etcd || !haproxy) {
    throw new Error(`programs are missing:\n${missing.join('\n')}`);
  }
  return { postgres, initdb, etcd, haproxy };
};

/**
 * The agent's configuration names a program by its path. One that lies in an unpacked tree needs
 * libraries and firmware from there, so it gets a script that says so.
 */
export const programPath = (binDir: string, name: string, program: Program): string => {
  const { path, args, env } = program;
  if (args.length === 0 && Object.keys(env).length === 0) return path;
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const settings = Object.entries(env).map(([key, value]) => `${key}=${quoted(value)} `);
  const file = join(binDir, name);
  const command = [path, ...args].map(quoted).join(' ');
  writeWhole(file, `#!/bin/sh\n${settings.join('')}exec ${command} "$@"\n`, 0o755);
  chmodSync(file, 0o755);
  return file;
};
