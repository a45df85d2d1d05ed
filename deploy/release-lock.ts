import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `npm run release:lock`: makes the contracts as they are now the ones that later changes must be
 * compatible with (proto/lock.binpb). Run for a release only. Contracts that break the last release
 * are refused unless `--break` is given, which is for a new major version. `--check` compares and
 * writes nothing; it is part of `npm test`.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const LOCK = 'proto/lock.binpb';

const buf = (...args: readonly string[]): number =>
  spawnSync(join(root, 'node_modules', '.bin', 'buf'), args, { cwd: root, stdio: 'inherit' })
    .status ?? 1;

/** Without comments and positions, which would change the file with every word. */
const buildImage = (file: string): number =>
  buf('build', '--path', 'proto/runmachine', '--exclude-source-info', '--output', file);

/** Images are compared because buf counts our two modules as two, and an image as one. */
const compare = (): number => {
  const dir = mkdtempSync(join(tmpdir(), 'runm-contracts-'));
  try {
    const image = join(dir, 'now.binpb');
    const source = ['build', '--path', 'proto/runmachine', '--output', image];
    return buf(...source) || buf('breaking', image, '--against', LOCK, '--config', 'buf.yaml');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

const main = (args: readonly string[]): number => {
  const breaks = existsSync(join(root, LOCK)) && !args.includes('--break') ? compare() : 0;
  if (args.includes('--check')) return breaks;
  if (breaks === 0) return buildImage(LOCK);
  console.error(`${LOCK} stays as it is: the contracts above break the last release`);
  return breaks;
};

process.exitCode = main(process.argv.slice(2));
