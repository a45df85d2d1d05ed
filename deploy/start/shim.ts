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
  writeWhole(path, `#!/bin/sh\nexec ${quoted(process.execPath)} ${quoted(entry)} "$@"\n`, 0o755);
  chmodSync(path, 0o755);
  return binDir;
};

/** Makes or renews the profile of this installation; the one that the person chose stays chosen. */
export const writeProfile = (name: string, profile: Profile): void => {
  const path = profileFilePath(process.env);
  const file = readProfiles(path);
  const isFirst = Object.keys(file.profiles).length === 0;
  const chosen = file.profiles[file.current] === undefined || isFirst ? name : file.current;
  writeProfiles(path, { current: chosen, profiles: { ...file.profiles, [name]: profile } });
};
