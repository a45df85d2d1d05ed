import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { bundleCli, writeShim } from '../../../deploy/start/shim.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

test('the shim runs with and without its bundle, and says the same', async (t) => {
  using dir = temporaryDir();
  const state = join(dir.path, "it's a state");
  const shim = join(writeShim(state), 'runm');
  const say = (...args: string[]) => spawnSync(shim, args, { encoding: 'utf8', timeout: 20_000 });
  const words = [['version'], ['machine', 'create', '--help'], ['machine', 'lsit']];
  const sayAll = () => words.map((args) => say(...args)).map(({ pid: _, ...said }) => said);
  const before = sayAll();
  t.true(await bundleCli(state).done);
  t.deepEqual(sayAll(), before);
  const cache = join(state, 'runm-cache');
  const { entry } = JSON.parse(readFileSync(join(cache, 'bundle.json'), 'utf8'));
  writeFileSync(join(cache, entry), "export const main = async () => console.log('bundle');");
  t.is(say('version').stdout, 'bundle\n', 'what ran was the bundle');
});

test('the bundle knows the sources that it was made of, and only two bundles are kept', async (t) => {
  using dir = temporaryDir();
  for (let made = 0; made < 3; made += 1) t.true(await bundleCli(dir.path).done);
  const cache = join(dir.path, 'runm-cache');
  const manifest = JSON.parse(readFileSync(join(cache, 'bundle.json'), 'utf8'));
  const expected = ['services/cli/main.ts', 'services/runtime/client.ts', 'package-lock.json'];
  for (const file of expected) t.true(manifest.sources.includes(file), file);
  t.is(readdirSync(cache).filter((name) => name.startsWith('bundle-')).length, 2);
});
