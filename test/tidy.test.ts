import { existsSync, globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { checkArrows } from './tidy/arrow-rules.ts';
import { checkCycles, checkUnused } from './tidy/graph-rules.ts';
import { checkTop, checkVersions, checkWords } from './tidy/repository-rules.ts';
import { type Source, scan } from './tidy/scan.ts';
import { checkSource, describeViolation, type Violation } from './tidy/source-rules.ts';

/**
 * The house rules that programs can check (the rules themselves are tested in test/unit/test/tidy).
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDERS = ['proto', 'services', 'gen', 'deploy', 'test', '.ci', '.github'];
const IGNORED = /(?:^|\/)(?:node_modules|\.runmachine|dist|test\/grouped)(?:\/|$)/;
const FILE_BYTES_MAX = 2_000_000;

const listFiles = (): string[] => [
  ...readdirSync(root).filter((name) => statSync(join(root, name)).isFile()),
  ...FOLDERS.filter((folder) => existsSync(join(root, folder))).flatMap((folder) =>
    globSync('**/*', { cwd: join(root, folder), withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  ),
];

const files = listFiles().filter((path) => !IGNORED.test(path));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const sources: readonly Source[] = files
  .filter((path) => /\.(?:ts|mjs|js)$/.test(path))
  .map((path) => scan(path, read(path)));
const ours = sources.filter(({ path }) => !path.startsWith('gen/'));

/** Programs that are started by name from outside the sources. */
const entries = (): string[] => {
  const callers = files.filter((path) =>
    /\.(?:json|sh|service|yaml|yml|cfg|md)$|^\.ci\//.test(path),
  );
  const text = callers.map(read).join('\n');
  const named = [...text.matchAll(/[\w./-]+\.(?:ts|mjs|js)\b/g)].map((match) => match[0]);
  return [...new Set(named.map((name) => name.replace(/^\.\//, '')))];
};

const expectNone = (t: ExecutionContext, found: readonly Violation[]): void => {
  if (found.length === 0) t.pass();
  else t.fail(`\n${found.map(describeViolation).join('\n')}\n`);
};

test('there is something to check', (t) => {
  t.true(ours.length > 20);
  t.true(sources.some((source) => source.imports.length > 0));
});

test('sources keep the house style: names, sizes, bans', (t) => {
  const found = ours.flatMap(checkSource);
  expectNone(t, found);
});

test('imports follow the arrows', (t) => {
  const found = ours.flatMap(checkArrows);
  expectNone(t, found);
});

test('no file imports itself through others', (t) => {
  const found = checkCycles(sources);
  expectNone(t, found);
});

test('every source file is used', (t) => {
  const found = checkUnused(sources, entries());
  expectNone(t, found);
});

test('the top of the repository holds only what belongs there', (t) => {
  const names = readdirSync(root, { withFileTypes: true })
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .filter((name) => !['node_modules/', 'coverage/'].includes(name) && !name.endsWith('.log'));
  const found = checkTop(names);
  expectNone(t, found);
});

test('dependencies have exact versions', (t) => {
  const found = checkVersions('package.json', read('package.json'));
  expectNone(t, found);
});

test('nothing speaks of one machine, one home folder or one registry', (t) => {
  const found = files
    .filter((path) => !path.startsWith('gen/') && statSync(join(root, path)).size < FILE_BYTES_MAX)
    .flatMap((path) => checkWords(path, read(path)));
  expectNone(t, found);
});
