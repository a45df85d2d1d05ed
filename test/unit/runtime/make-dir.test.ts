import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { makeDir } from '../../../services/runtime/make-dir.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

test('what is missing above a directory is made, for its owner alone', (t) => {
  using dir = temporaryDir();
  const path = join(dir.path, 'a', 'b');
  makeDir(path);
  makeDir(path);
  t.is(statSync(path).mode & 0o777, 0o700);
  t.is(statSync(join(dir.path, 'a')).mode & 0o777, 0o700);
});

test('a link to a directory is one', (t) => {
  using dir = temporaryDir();
  mkdirSync(join(dir.path, 'real'));
  symlinkSync('real', join(dir.path, 'link'));
  makeDir(join(dir.path, 'link'));
  makeDir(join(dir.path, 'link', 'inner'));
  t.true(existsSync(join(dir.path, 'real', 'inner')));
});

test('where there can be none it says why, at once', (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'file');
  writeFileSync(file, '');
  symlinkSync('nowhere', join(dir.path, 'broken'));
  const codeOf = (path: string) =>
    t.throws<NodeJS.ErrnoException>(() => makeDir(path), { instanceOf: Error }).code;
  t.is(codeOf(file), 'EEXIST');
  t.is(codeOf(join(file, 'below')), 'ENOTDIR');
  t.is(codeOf(join(dir.path, 'broken')), 'EEXIST');
  t.is(codeOf(join(dir.path, 'x'.repeat(300))), 'ENAMETOOLONG');
  // Nothing is made there, and mkdir with `recursive` asks for ever.
  if (existsSync('/proc/self')) t.is(codeOf('/proc/nothing/below'), 'ENOENT');
});
