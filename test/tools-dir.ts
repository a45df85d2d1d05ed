import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/**
 * Where test runs keep unpacked programs: RUNM_TOOLS_DIR, else a folder of this user's under the
 * temporary one.
 */
export const testToolsDir = (): string => {
  const chosen = process.env.RUNM_TOOLS_DIR;
  return chosen === undefined || chosen === '' ? ownTemporaryDir('runm-test-tools') : chosen;
};

/**
 * A folder with a fixed name under the world-writable temporary folder; refuses one that somebody
 * else made. It is open to all for reading because a database must run as another user when the
 * tests run as root.
 */
export const ownTemporaryDir = (name: string): string => {
  const { uid } = userInfo();
  const folder = join(tmpdir(), `${name}-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || (uid >= 0 && found.uid !== uid)) {
    throw new Error(`${folder} belongs to uid ${found.uid}: remove it or set RUNM_TOOLS_DIR`);
  }
  return folder;
};
