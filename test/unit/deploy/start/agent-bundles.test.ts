import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { removeLeftWork, removeOldBundles } from '../../../../deploy/agent-bundle/leftovers.ts';
import { isNewer } from '../../../../deploy/start/agent-bundles.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

const written = (path: string, minute: number): string => {
  writeFileSync(path, '');
  utimesSync(path, minute * 60, minute * 60);
  return path;
};

test('a bundle is made anew after any of its sources changed', (t) => {
  using dir = temporaryDir();
  const folder = join(dir.path, 'services/agent');
  mkdirSync(folder, { recursive: true });
  const lock = written(join(dir.path, 'package-lock.json'), 1);
  written(join(folder, 'old.ts'), 1);
  const sources = [lock, join(dir.path, 'services')];
  t.false(isNewer(join(dir.path, 'bundles.json'), sources), 'there is none yet');
  const bundles = written(join(dir.path, 'bundles.json'), 2);
  t.true(isNewer(bundles, sources));
  written(join(folder, 'changed.ts'), 3);
  t.false(isNewer(bundles, sources));
});

test('what a build that was killed left, and bundles that nothing names, are removed', (t) => {
  using dir = temporaryDir();
  const at = (name: string): string => join(dir.path, name);
  const now = new Date(10 * 3_600_000);
  for (const [name, hour] of [
    ['.work-killed', 1],
    ['.work-under-way', 10],
  ] as const) {
    mkdirSync(at(name));
    utimesSync(at(name), hour * 3_600, hour * 3_600);
  }
  const [kept, old] = ['a'.repeat(64), 'b'.repeat(64)];
  for (const name of [`${kept}.tar.gz`, `${old}.tar.gz`, 'bundles.json', 'install.sh', 'mine']) {
    writeFileSync(at(name), '');
  }
  removeLeftWork(dir.path, now);
  removeOldBundles(dir.path, [{ architecture: 'x86_64', sha256: kept, sizeBytes: 0 }]);
  t.deepEqual(readdirSync(dir.path).toSorted(), [
    ...['.work-under-way', `${kept}.tar.gz`, 'bundles.json', 'install.sh', 'mine'],
  ]);
});
