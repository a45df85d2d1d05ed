import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { temporaryDir } from '../../support/temporary-dir.ts';

const ROOT = join(import.meta.dirname, '../../..');
const LATER_MS = 4_000_000_000_000;

type Manifest = {
  readonly madeMs: number;
  readonly root: string;
  readonly sources: readonly string[];
};

/**
 * What `runm version` prints with a bundle whose manifest says that; the bundle prints "bundle".
 */
const runWith = (manifest: Manifest | string): string => {
  using dir = temporaryDir();
  mkdirSync(join(dir.path, 'bundle-1'));
  const code = "export const main = async () => { console.log('bundle'); return 0; };";
  writeFileSync(join(dir.path, 'bundle-1/main.mjs'), code);
  const text =
    typeof manifest === 'string'
      ? manifest
      : JSON.stringify({ ...manifest, entry: 'bundle-1/main.mjs' });
  writeFileSync(join(dir.path, 'bundle.json'), text);
  return run({ RUNM_CACHE_DIR: dir.path });
};

const run = (env: Record<string, string>): string => {
  const entry = join(ROOT, 'services/cli/runm.mjs');
  // Not the profile of whoever runs the tests.
  const HOME = '/nowhere';
  const options = {
    encoding: 'utf8' as const,
    env: { ...process.env, HOME, ...env },
    timeout: 20_000,
  };
  return spawnSync(process.execPath, [entry, 'version'], options).stdout;
};

const fresh = { madeMs: LATER_MS, root: ROOT, sources: ['services/cli/main.ts'] };

test('runm runs the bundle that is newer than its sources', (t) => {
  t.is(runWith(fresh), 'bundle\n');
});

test('a bundle that is older than a source is not run', (t) => {
  t.regex(runWith({ ...fresh, madeMs: 0 }), /^runm \d/);
});

test('a bundle of a source that is gone is not run', (t) => {
  t.regex(runWith({ ...fresh, sources: ['services/cli/main.ts', 'services/gone.ts'] }), /^runm \d/);
});

test('a bundle of another checkout is not run', (t) => {
  t.regex(runWith({ ...fresh, root: '/elsewhere', sources: [] }), /^runm \d/);
});

test('runm runs from its sources where no bundle can be read', (t) => {
  t.regex(runWith('{"madeMs":'), /^runm \d/);
  t.regex(run({ RUNM_CACHE_DIR: '/nowhere' }), /^runm \d/);
  t.regex(run({ RUNM_CACHE_DIR: '' }), /^runm \d/);
});
