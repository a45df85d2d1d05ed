import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { NOTICES_FILE, noticesFor } from '../../deploy/third-party-notices.ts';
import { temporaryDir } from '../support/temporary-dir.ts';

/** What is generated and committed is what its source gives today. */
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const filesBelow = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    globSync('**/*.*', { cwd: folder })
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );

test('gen is what the contracts generate (npm run gen)', (t) => {
  using dir = temporaryDir();
  const buf = join(root, 'node_modules', '.bin', 'buf');
  const result = spawnSync(buf, ['generate', '--output', dir.path], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  });
  t.is(result.status, 0, result.stderr);
  const fresh = filesBelow(join(dir.path, 'gen'));
  const committed = filesBelow(join(root, 'gen'));
  t.true(fresh.size > 0);
  t.deepEqual([...committed.keys()], [...fresh.keys()]);
  const differing = [...fresh].filter(([name, text]) => committed.get(name) !== text);
  t.deepEqual(
    differing.map(([name]) => name),
    [],
  );
});

test('the third-party notices name every package of the lock (npm run notices)', (t) => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  t.is(readFileSync(join(root, NOTICES_FILE), 'utf8'), noticesFor(lock));
});

test('a package without a licence is refused', (t) => {
  const packages = { '': {}, 'node_modules/a': { version: '1.0.0' } };
  t.throws(() => noticesFor({ packages }), { message: 'a names no licence' });
});
