import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `npm run release:lock`: makes the contracts as they are now the ones that later changes must be
 * compatible with (proto/lock.binpb, which `npm test` compares with). Run for a release only.
 * Contracts that break the last release are refused unless `--break` is given, which is for a new
 * major version.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LOCK = 'proto/lock.binpb';

const buf = (...args: readonly string[]): number =>
  spawnSync(join(root, 'node_modules', '.bin', 'buf'), args, { cwd: root, stdio: 'inherit' })
    .status ?? 1;

const mayBreak = process.argv.includes('--break');
if (existsSync(join(root, LOCK)) && !mayBreak && buf('breaking', '--against', LOCK) !== 0) {
  console.error(`${LOCK} stays as it is: the contracts above break the last release`);
  process.exit(1);
}
// Comments and sources would make the file several times as large and change it with every word.
process.exit(buf('build', '--exclude-source-info', '--output', LOCK));
