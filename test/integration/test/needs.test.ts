import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { temporaryDir } from '../../support/temporary-dir.ts';

/** A project of its own, whose one test file needs what the environment says is not there. */
const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

const TEST_FILE = `
  import { needs } from ${JSON.stringify(join(root, 'test', 'needs.ts'))};
  const need = ${'needs'}('apt');
  const test = need.test;
  test.before(() => { throw new Error('a hook ran'); });
  test.beforeEach(() => { throw new Error('a hook ran'); });
  test.after.always(() => { throw new Error('a hook ran'); });
  test('plain', (t) => t.fail());
  test.serial('serial', (t) => t.fail());
  test.failing('failing', (t) => t.pass());
  const macro = test.macro({ exec: (t) => t.fail(), title: () => 'by macro' });
  test(macro);
`;

const runWithout = (extra: Readonly<Record<string, string>>) => {
  using dir = temporaryDir();
  symlinkSync(join(root, 'node_modules'), join(dir.path, 'node_modules'));
  writeFileSync(join(dir.path, 'package.json'), '{"type":"module"}');
  const config = "export default { files: ['*.test.ts'], extensions: ['ts'] };";
  writeFileSync(join(dir.path, 'ava.config.js'), config);
  writeFileSync(join(dir.path, 'a.test.ts'), TEST_FILE);
  const notRun = join(dir.path, 'not-run');
  mkdirSync(notRun);
  const { RUNM_REQUIRE: _require, RUNM_TEST_STATS_FILE: _stats, ...env } = process.env;
  const cli = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.js');
  const result = spawnSync(process.execPath, [cli], {
    cwd: dir.path,
    encoding: 'utf8',
    env: { ...env, RUNM_TEST_APT: 'unreachable', RUNM_TEST_NOT_RUN_DIR: notRun, ...extra },
    timeout: 60_000,
  });
  const records = readdirSync(notRun).map((file) => readFileSync(join(notRun, file), 'utf8'));
  return { exitCode: result.status, output: result.stdout, records };
};

test('tests whose need is missing are skipped, hooks and all, and the file is recorded', (t) => {
  const { exitCode, output, records } = runWithout({});
  t.is(exitCode, 0, output);
  t.regex(output, /4 tests skipped/);
  t.notRegex(output, /passed|failed/);
  t.is(records.length, 1);
  t.regex(records[0] ?? '', /a\.test\.ts","absent":\["apt"\]/);
});

test('with RUNM_REQUIRE=all a missing need fails', (t) => {
  const { exitCode, output } = runWithout({ RUNM_REQUIRE: 'all' });
  t.is(exitCode, 1);
  t.regex(output, /1 test failed/);
  t.regex(output, /RUNM_REQUIRE=all, but the file needs apt/);
});

test('with the need at hand the same tests run', (t) => {
  const { exitCode, output } = runWithout({ RUNM_TEST_APT: 'reachable' });
  t.is(exitCode, 1);
  t.regex(output, /a hook ran/);
});
