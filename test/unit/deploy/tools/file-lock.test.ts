import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { takeLock, tryLock } from '../../../../deploy/tools/file-lock.ts';
import type { Clock } from '../../../../services/runtime/clock.ts';

const temporary = (): Disposable & { readonly file: (name: string) => string } => {
  const dir = mkdtempSync(join(tmpdir(), 'runm-lock-'));
  return {
    file: (name) => join(dir, name),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
};

/** A clock on which only sleeping takes time. */
const sleepingClock = (): Clock => {
  let nowMs = 0;
  return {
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
  };
};

test('a lock is held by one at a time and free again after its release', (t) => {
  using dir = temporary();
  const first = tryLock(dir.file('a'));
  t.truthy(first);
  t.is(tryLock(dir.file('a')), undefined);
  first?.release();
  first?.release();
  using again = tryLock(dir.file('a'));
  t.truthy(again);
});

test('of several files as many locks are given as there are files', async (t) => {
  using dir = temporary();
  const files = [dir.file('a'), dir.file('b')];
  const options = { limitMs: 1_000, clock: sleepingClock() };
  using first = await takeLock(files, options);
  using second = await takeLock(files, options);
  t.truthy(first);
  t.truthy(second);
  await t.throwsAsync(takeLock(files, options), { message: /still held after 1000 ms/ });
});

test('one who waits is told once and gets the lock when it is released', async (t) => {
  using dir = temporary();
  const held = tryLock(dir.file('a'));
  let told = 0;
  const waiting = takeLock([dir.file('a')], {
    limitMs: 10_000,
    onWait: () => {
      told += 1;
      held?.release();
    },
  });
  using lock = await waiting;
  t.truthy(lock);
  t.is(told, 1);
});

test('waiting ends when the caller gives up', async (t) => {
  using dir = temporary();
  using _held = tryLock(dir.file('a'));
  const abort = new AbortController();
  const waiting = takeLock([dir.file('a')], { limitMs: 60_000, signal: abort.signal });
  abort.abort(new Error('enough'));
  await t.throwsAsync(waiting, { message: 'enough' });
});

test('a thread that dies without releasing gives its lock back', async (t) => {
  using dir = temporary();
  const module = new URL('../../../../deploy/tools/file-lock.ts', import.meta.url).href;
  const source = `
    import { parentPort } from 'node:worker_threads';
    import { tryLock } from ${JSON.stringify(module)};
    parentPort.postMessage(tryLock(${JSON.stringify(dir.file('a'))}) !== undefined);
    setInterval(() => {}, 1000);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  const took = await new Promise((resolve) => worker.once('message', resolve));
  t.true(took);
  t.is(tryLock(dir.file('a')), undefined);
  await worker.terminate();
  using lock = await takeLock([dir.file('a')], { limitMs: 10_000 });
  t.truthy(lock);
});
