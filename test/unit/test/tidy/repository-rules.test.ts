import test from 'ava';
import { checkTop, checkVersions, checkWords } from '../../../tidy/repository-rules.ts';

test('the top holds the five folders, known files and dotfiles only', (t) => {
  const found = checkTop(['services/', 'README.md', '.ci/', '.editorconfig', 'src/', 'todo.md']);
  t.deepEqual(
    found.map((one) => one.path),
    ['src/', 'todo.md'],
  );
});

test('a range, a tag and an address are not exact versions', (t) => {
  const manifest = {
    dependencies: { a: '1.2.3', b: '^1.2.3', c: 'latest' },
    devDependencies: { d: '1.2.3-beta.1', e: 'github:x/y' },
    optionalDependencies: { f: '1.2' },
  };
  const found = checkVersions('package.json', JSON.stringify(manifest));
  t.deepEqual(
    found.map((one) => /names (\w)/.exec(one.message)?.[1]),
    ['b', 'c', 'e', 'f'],
  );
});

// Put together here, so that this file does not break the rule itself.
const refused = [
  `see ${'/home'}/ann/x`,
  `see ${'/Users'}/ann/x`,
  `cd ${'/root'}/x`,
  `cd ${'/work'}/main`,
  `in ${'/tmp'}/x`,
  `from ${'registry.'}npmjs.org`,
  `"resolved": ${'"https:'}//x/y.tgz"`,
];

for (const text of refused) {
  test(`${text} is refused`, (t) => {
    t.is(checkWords('a.md', `fine\n${text}`).length, 1);
    t.is(checkWords('a.md', `fine\n${text}`)[0]?.line, 2);
  });
}

const allowed = [
  `import '../${'work'}/boot.ts'`,
  'services/machine/work/boot.ts',
  'the folder /tmp',
  '${dir}/tmp/x',
  'https://nodejs.org/en/download',
];

for (const text of allowed) {
  test(`${text} is allowed`, (t) => {
    t.deepEqual(checkWords('a.md', text), []);
  });
}
