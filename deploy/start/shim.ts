import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Profile,
  profileFilePath,
  readProfiles,
  writeProfiles,
} from '../../services/cli/profile.ts';
import { writeWhole } from './state-dir.ts';

/** Writes `<state>/bin/runm`, which runs this checkout's runm on this Node from any directory. */
export const writeShim = (stateDir: string): string => {
  const binDir = join(stateDir, 'bin');
  mkdirSync(binDir, { recursive: true });
  const entry = join(import.meta.dirname, '../../services/cli/runm.mjs');
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const path = join(binDir, 'runm');
  const lines = [
    '#!/bin/sh',
    `RUNM_CACHE_DIR=${quoted(cacheDirOf(stateDir))} \\`,
    `  exec ${quoted(process.execPath)} ${quoted(entry)} "$@"`,
  ];
  writeWhole(path, `${lines.join('\n')}\n`, 0o755);
  chmodSync(path, 0o755);
  return binDir;
};

/** Holds what makes runm quick: its bundle and its compiled code. */
const cacheDirOf = (stateDir: string): string => join(stateDir, 'runm-cache');

export type Bundling = {
  /** Resolves at its end, true when it was made. */
  readonly done: Promise<boolean>;
  readonly stop: () => void;
};

const BUNDLING_LIMIT_MS = 60_000;

/**
 * Makes the bundle that the shim runs, beside everything else: a second of work. Without it, also
 * where the packages for development are missing, the shim runs the sources, at twice the time.
 */
export const bundleCli = (stateDir: string): Bundling => {
  const cacheDir = cacheDirOf(stateDir);
  mkdirSync(cacheDir, { recursive: true, mode: 0o700 });
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bundle-cli.ts'), cacheDir], {
    stdio: 'ignore',
    timeout: BUNDLING_LIMIT_MS,
  });
  child.unref();
  const done = new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
  return { done, stop: () => child.kill('SIGKILL') };
};

/** Makes or renews the profile of this installation; the one that the person chose stays chosen. */
export const writeProfile = (name: string, profile: Profile): void => {
  const path = profileFilePath(process.env);
  const file = readProfiles(path);
  const isFirst = Object.keys(file.profiles).length === 0;
  const chosen = file.profiles[file.current] === undefined || isFirst ? name : file.current;
  writeProfiles(path, { current: chosen, profiles: { ...file.profiles, [name]: profile } });
};
