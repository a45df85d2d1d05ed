/** Command lines as they are typed, told or refused before any server is asked. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';

const ENTRY = join(import.meta.dirname, '../../../services/cli/runm.mjs');

const runm = (...argv: readonly string[]) => {
  const env = {
    ...process.env,
    RUNM_CACHE_DIR: '',
    HOME: '/nowhere',
    RUNM_CONFIG: '/nowhere/none',
  };
  const options = { encoding: 'utf8' as const, env, timeout: 60_000 };
  const { status: code, stdout, stderr } = spawnSync(process.execPath, [ENTRY, ...argv], options);
  return { code, stdout, stderr };
};

test('help is had from every side', (t) => {
  const verbs = runm('machine').stdout;
  t.regex(verbs, /runm machine create[\s\S]*Examples:\n {2}runm machine create demo/);
  t.is(runm('help', 'machine').stdout, verbs);
  t.is(runm('machine', 'help').stdout, verbs);
  t.is(runm('help', 'machine', 'create').stdout, runm('machine', 'create', '--help').stdout);
  const power = runm('provider', 'power');
  t.regex(power.stdout, /runm provider power soft-off/);
  t.notRegex(power.stdout, /provider list/);
  t.is(power.code, 0);
});

test('what is misspelt is told with the nearest word', (t) => {
  const one = runm('provider', 'power', 'cycl');
  t.is(one.code, 2);
  t.regex(one.stderr, /provider power has no verb "cycl"\n +did you mean .*power cycle/);
  t.regex(runm('machne').stderr, /did you mean `runm machine`/);
  const before = runm('--json', 'machine', 'list');
  t.is(before.code, 2);
  t.deepEqual(JSON.parse(before.stderr), {
    message: '--json stands before the command',
    next: ['options come last: runm machine list --json'],
  });
});
