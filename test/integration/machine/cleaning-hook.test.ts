/** A cleaning command ends in its time, with everything that it began, whoever dies meanwhile. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { createCleaningHook, NO_CLEANING } from '../../../services/machine/work/cleaning-hook.ts';
import { endStrays, type Guarded } from '../../../services/machine/work/cleaning-strays.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { eventually } from '../../support/eventually.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const GUARD = join(import.meta.dirname, '../../../services/machine/work/cleaning-guard.ts');
const FOREVER = 'while :; do /bin/sleep 0.05; done';
/** Writes down who it is, and does not end when it is told to. */
const stubborn = (file: string) => `trap "" TERM; echo $$ > ${file}; ${FOREVER}`;

const run = async (
  script: string,
  { timeoutMs = 60_000, signal = new AbortController().signal } = {},
) => {
  const command = ['/bin/sh', '-c', script];
  const hook = await createCleaningHook(systemClock, { ...NO_CLEANING, command, timeoutMs });
  if (hook === undefined) throw new Error('no hook');
  return hook.run({ id: 'c1', body: '{"cleaning":"c1"}' }, signal);
};

/** Written in one go, and ended by a line's end. */
const pidsNow = (file: string): readonly number[] | undefined => {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return text.endsWith('\n') ? text.trim().split(' ').map(Number) : undefined;
};

const pidsIn = (file: string): Promise<readonly number[]> => eventually(() => pidsNow(file));

const pidIn = async (file: string): Promise<number> => (await pidsIn(file))[0] ?? 0;

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(statusOf(pid));
  } catch {
    return false;
  }
};

/** Where nobody takes the dead away they stay to be seen. */
const statusOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
};

test('what a command ends with is what counts, and it reads what is to be cleaned', async (t) => {
  t.deepEqual(await run('read -r body; [ "$body" = \'{"cleaning":"c1"}\' ]'), { kind: 'clean' });
  t.deepEqual(await run('[ "$RUNM_CLEANING" = c1 ] && echo "no disk" >&2; exit 3'), {
    kind: 'failed',
    message: 'The cleaning command ended with 3; it said: no disk',
  });
  const missing = { ...NO_CLEANING, command: ['/nowhere/wipe'] };
  const hook = await createCleaningHook(systemClock, missing);
  const result = await hook?.run({ id: 'c1', body: '{}' }, new AbortController().signal);
  t.is(result?.kind, 'failed');
});

test.serial('a command needs nothing of its host to be ended in its time', async (t) => {
  await using made = new AsyncDisposableStack();
  const { PATH } = process.env;
  made.defer(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = '/nowhere';
  t.deepEqual(await run(FOREVER, { timeoutMs: 1_000 }), {
    kind: 'failed',
    message: 'The cleaning command did not end in its time; it said nothing',
  });
});

test('what a command began and left behind is gone when it is told as clean', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'pid');
  const script = `/bin/sh -c '${stubborn(file)}' </dev/null >/dev/null 2>&1 & `;
  t.deepEqual(await run(`${script} while ! [ -s ${file} ]; do :; done`), { kind: 'clean' });
  t.false(lives(await pidIn(file)));
});

test('a command that is called off has ended when that is told', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'pid');
  const off = new AbortController();
  const running = run(`echo $$ > ${file}; ${FOREVER}`, { signal: off.signal });
  const pid = await pidIn(file);
  off.abort();
  t.is((await running).kind, 'failed');
  t.false(lives(pid));
});

/** As the service begins it; nobody listens. */
const guarded = (limitMs: number, script: string) => {
  const args = [GUARD, String(limitMs), '200', '/bin/sh', '-c', script];
  const stdio = ['ignore', 'ignore', 'ignore', 'pipe'] as const;
  const env = { ...process.env, RUNM_CLEANING_GUARDED: randomUUID() };
  const guard = spawn(process.execPath, args, { detached: true, env, stdio: [...stdio] });
  return { guard, lifeline: guard.stdio[3], over: once(guard, 'exit') };
};

test('a command ends in its time, also one that does not want to', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'pid');
  // What its guard takes to start is part of its time: on a busy host it may not have begun.
  for (let limitMs = 1_000; pidsNow(file) === undefined; limitMs *= 2) {
    const { over } = guarded(limitMs, stubborn(file));
    t.is((await over)[0], 124);
  }
  t.false(lives(await pidIn(file)));
});

test('a command whose service died ends soon, whatever its time', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'pid');
  const { lifeline, over } = guarded(3_600_000, stubborn(file));
  const pid = await pidIn(file);
  t.true(lives(pid));
  lifeline?.destroy();
  await over;
  t.false(lives(pid));
});

test('a command whose guard is killed ends, and counts as failed', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'pid');
  const running = run(`echo $$ $PPID > ${file}; ${FOREVER}`);
  const [pid = 0, guard = 0] = await pidsIn(file);
  process.kill(guard, 'SIGKILL');
  t.deepEqual(await running, {
    kind: 'failed',
    message: 'The cleaning command was killed by SIGKILL; it said nothing',
  });
  t.false(lives(pid));
});

test('the next life of a service ends what it and the guards left, and nothing else', async (t) => {
  using dir = temporaryDir();
  const [left, held] = [join(dir.path, 'left'), join(dir.path, 'held')];
  const dead = guarded(3_600_000, `echo $$ > ${left}; ${FOREVER}`);
  const living = guarded(3_600_000, `echo $$ > ${held}; ${FOREVER}`);
  const [leftPid, heldPid] = [await pidIn(left), await pidIn(held)];
  dead.guard.kill('SIGKILL');
  await dead.over;
  t.true(lives(leftPid));
  const config = { ...NO_CLEANING, command: ['/bin/true'] };
  const hook = await createCleaningHook(systemClock, config);
  await hook?.endLeft();
  t.false(lives(leftPid));
  t.true(lives(heldPid));
  living.lifeline?.destroy();
  await living.over;
  t.false(lives(heldPid));
});

test('what got away from its group ends as well, and holds nobody up', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'pid');
  const script = `setsid /bin/sh -c 'echo $$ > ${file}; ${FOREVER}' &`;
  t.deepEqual(await run(`${script} while ! [ -s ${file} ]; do :; done`), { kind: 'clean' });
  t.false(lives(await pidIn(file)));
});

test('a command is a stray only when a second look finds no guard of it either', async (t) => {
  const [held, stray] = [spawn('/bin/sleep', ['3600']), spawn('/bin/sleep', ['3600'])];
  t.teardown(() => [held, stray].map((child) => child.kill('SIGKILL')));
  const strayOver = once(stray, 'exit');
  const [heldPid = 0, strayPid = 0] = [held.pid, stray.pid];
  const commands = [
    { pid: heldPid, run: 'held', isGuard: false },
    { pid: strayPid, run: 'stray', isGuard: false },
  ];
  const guard = { pid: 0, run: 'held', isGuard: true };
  const looks: (readonly Guarded[] | undefined)[] = [
    ...[undefined, commands, undefined],
    ...[commands, [...commands, guard]],
  ];
  const see = async () => (looks.length > 0 ? looks.shift() : []);
  await endStrays(systemClock, { graceMs: 60_000, see });
  t.deepEqual(await strayOver, [null, 'SIGTERM']);
  t.true(lives(heldPid));
});
