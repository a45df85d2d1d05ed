import test from 'ava';
import { needsInSource } from '../../runner/declared-needs.ts';
import { parseOptions } from '../../runner/options.ts';
import { countAll, summary } from '../../runner/outcome.ts';
import { dealt } from '../../runner/unit-groups.ts';

const call = (args: string): string => `const need = ${'needs'}(${args});`;

test('what a test file needs is read from its text', (t) => {
  t.deepEqual(needsInSource(call("'qemu', 'apt'")), ['qemu', 'apt']);
  t.deepEqual(needsInSource(call('\n  "python3-grpcio",\n')), ['python3-grpcio']);
  t.deepEqual(needsInSource(call("'unknown'")), []);
  t.deepEqual(needsInSource('const test = 1;'), []);
});

test('unit test files are dealt to their groups to and fro, and none is left out', (t) => {
  t.deepEqual(dealt([1, 2, 3, 4, 5], 2), [
    [1, 4, 5],
    [2, 3],
  ]);
  t.deepEqual(dealt([1], 3), [[1]]);
});

test('naming a file runs it without the checks', (t) => {
  t.deepEqual(parseOptions(['test/unit/a.test.ts']), {
    unit: false,
    prepareOnly: false,
    checks: false,
    forAva: ['test/unit/a.test.ts'],
  });
  t.true(parseOptions(['--unit']).checks);
  t.true(parseOptions([]).checks);
});

test('checks and tests are counted together', (t) => {
  const stats = { passedTests: 5, skippedTests: 2, todoTests: 1, failedTests: 0 };
  const counts = countAll(stats, { avaExitCode: 0, checksPassed: 4, checksFailed: 1 });
  t.deepEqual(counts, { passed: 9, failed: 1, skipped: 3 });
});

test('hooks, uncaught exceptions and timeouts count as failures', (t) => {
  const stats = { failedTests: 1, failedHooks: 1, uncaughtExceptions: 1, timedOutTests: 2 };
  const counts = countAll(stats, { avaExitCode: 1, checksPassed: 0, checksFailed: 0 });
  t.is(counts.failed, 5);
});

test('a run that broke off without a failed test still counts as failed', (t) => {
  const none = { checksPassed: 0, checksFailed: 0 };
  t.is(countAll(undefined, { avaExitCode: 1, ...none }).failed, 1);
  t.is(countAll({ passedTests: 3 }, { avaExitCode: 130, ...none }).failed, 1);
});

test('the summary names what did not run and why, and ends with the counts', (t) => {
  const lines = summary(
    { passed: 3, failed: 0, skipped: 2 },
    {
      notRun: [{ file: '/repo/test/a.test.ts', absent: ['etcd', 'qemu'] }],
      missing: new Map([['etcd', 'no mirror']]),
      root: '/repo',
    },
  );
  t.deepEqual(lines, [
    '',
    'not run, in 1 test files:',
    '  test/a.test.ts: needs etcd (no mirror), qemu',
    '3 passed, 0 failed, 2 skipped',
  ]);
});
