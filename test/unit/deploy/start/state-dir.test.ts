import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { StartRefused } from '../../../../deploy/start/options.ts';
import { isDiskFull, openStateDir } from '../../../../deploy/start/state-dir.ts';
import { DomainError } from '../../../../services/runtime/errors.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

test('a place that cannot hold the state is refused at once, with a cure', (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'file');
  writeFileSync(file, '');
  const places = [file, join(file, 'below'), join(dir.path, 'x'.repeat(300))];
  if (existsSync('/proc/self')) places.push('/proc/nothing');
  for (const place of places) {
    const refusal = t.throws(() => openStateDir(place), { instanceOf: StartRefused });
    t.true(refusal.message.startsWith(`cannot make the state directory ${place}: `));
    t.is(refusal.cure, 'give another one with --state-dir');
  }
});

test('what is missing above the state is made, and nothing is left in it', (t) => {
  using dir = temporaryDir();
  const state = openStateDir(join(dir.path, 'a', 'b'));
  t.teardown(() => rmSync(state.runtimeDir, { recursive: true, force: true }));
  t.deepEqual(state.names(), []);
  t.true(existsSync(state.runtimeDir));
});

test.serial('sockets lie in a short place, however long the one for temporary files is', (t) => {
  using dir = temporaryDir();
  const { TMPDIR, XDG_RUNTIME_DIR } = process.env;
  process.env.TMPDIR = join(dir.path, 'x'.repeat(60));
  delete process.env.XDG_RUNTIME_DIR;
  t.teardown(() => {
    process.env.TMPDIR = TMPDIR;
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    if (XDG_RUNTIME_DIR !== undefined) process.env.XDG_RUNTIME_DIR = XDG_RUNTIME_DIR;
  });
  const { runtimeDir } = openStateDir(dir.path);
  t.teardown(() => rmSync(runtimeDir, { recursive: true, force: true }));
  t.true(runtimeDir.length <= 60, runtimeDir);
});

test('a full disk is known by its error, however deep it is', (t) => {
  const full = Object.assign(new Error('database or disk is full'), { errcode: 13 });
  t.true(isDiskFull(full));
  t.true(isDiskFull(new DomainError('unavailable', 'STORE', 'no', { cause: full })));
  t.true(isDiskFull(Object.assign(new Error('no space'), { code: 'ENOSPC' })));
  t.false(isDiskFull(new Error('no')));
});
