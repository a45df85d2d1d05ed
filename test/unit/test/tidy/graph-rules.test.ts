import test from 'ava';
import { checkCycles, checkUnused } from '../../../tidy/graph-rules.ts';
import { type Source, scan } from '../../../tidy/scan.ts';

const sources = (files: Readonly<Record<string, string>>): Source[] =>
  Object.entries(files).map(([path, text]) => scan(path, text));

test('files that import each other are a cycle, told once with its way', (t) => {
  const found = checkCycles(
    sources({
      'a/a.ts': "import './b.ts';",
      'a/b.ts': "import { c } from '../c.ts';",
      'c.ts': "export { a } from './a/a.ts';",
    }),
  );
  t.is(found.length, 1);
  t.regex(found[0]?.message ?? '', /a\/a\.ts → a\/b\.ts → c\.ts → a\/a\.ts/);
});

test('types and late imports make no cycle, nor does a shared import', (t) => {
  const found = checkCycles(
    sources({
      'a.ts': "import type { B } from './b.ts'; import './c.ts';",
      'b.ts': "import './a.ts'; import './c.ts';",
      'c.ts': "const a = await import('./a.ts');",
    }),
  );
  t.deepEqual(found, []);
});

test('what neither a test nor an entry leads to is unused', (t) => {
  const found = checkUnused(
    sources({
      'services/main.ts': "import './used.ts';",
      'services/used.ts': '',
      'services/island.ts': "import './shore.ts';",
      'services/shore.ts': '',
      'services/tested.ts': '',
      'test/a.test.ts': "import '../services/tested.ts';",
      'gen/x_pb.ts': '',
    }),
    ['services/main.ts'],
  );
  t.deepEqual(
    found.map((one) => one.path),
    ['services/island.ts', 'services/shore.ts'],
  );
});

test('a program named in a string and a computed import count as used', (t) => {
  const found = checkUnused(
    sources({
      'services/main.ts': "run('./worker.ts'); const v = await import(`./verbs/${n}.ts`);",
      'services/worker.ts': "spawn('deploy/plugin.ts');",
      'services/verbs/get.ts': '',
      'services/verbs/deep/get.ts': '',
      'deploy/plugin.ts': '',
    }),
    ['services/main.ts'],
  );
  t.deepEqual(
    found.map((one) => one.path),
    ['services/verbs/deep/get.ts'],
  );
});
