import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { openProven } from '../../runner/proven.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const FOLDERS = ['proto', 'services', 'gen', 'deploy', 'test', 'node_modules/.cache'];

const write = (root: string, file: string, text: string): void => {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
};

const checkout = () => {
  const dir = temporaryDir();
  for (const folder of FOLDERS) mkdirSync(join(dir.path, folder), { recursive: true });
  write(dir.path, 'services/a/b.ts', 'let a;');
  write(dir.path, 'tsconfig.json', '{}');
  write(dir.path, 'node_modules/.package-lock.json', '{}');
  return dir;
};

test('a check that was passed is passed while every file is as it was', (t) => {
  using dir = checkout();
  openProven(dir.path).keep(['types']);
  t.true(openProven(dir.path).has('types'));
  t.false(openProven(dir.path).has('lint'));
  write(dir.path, 'test/grouped/group-1.test.ts', 'made for a run');
  t.true(openProven(dir.path).has('types'));
});

const changes = [
  ['services/a/b.ts', 'let b;'],
  ['services/a/new.ts', ''],
  ['tsconfig.json', '{ }'],
  ['node_modules/.package-lock.json', '{"another":"version"}'],
] as const;

for (const [file, text] of changes) {
  test(`nothing is proven any more when ${file} changes`, (t) => {
    using dir = checkout();
    openProven(dir.path).keep(['types']);
    write(dir.path, file, text);
    t.false(openProven(dir.path).has('types'));
  });
}

test('a check during which a file changed proves nothing', (t) => {
  using dir = checkout();
  const proven = openProven(dir.path);
  write(dir.path, 'services/a/b.ts', 'let b;');
  proven.keep(['types']);
  t.false(openProven(dir.path).has('types'));
  write(dir.path, 'services/a/b.ts', 'let a;');
  t.false(openProven(dir.path).has('types'));
});

test('what cannot be read proves nothing', (t) => {
  using dir = checkout();
  openProven(dir.path).keep(['types']);
  write(dir.path, 'node_modules/.cache/proven.json', '{"digest":');
  t.false(openProven(dir.path).has('types'));
});
