import test from 'ava';
import { isDomainError } from '../../../services/runtime/errors.ts';
import { createTurns } from '../../../services/scheduler/rpc/turns.ts';

const NEVER = new AbortController().signal;

test('work is done one after the other, whatever becomes of those before', async (t) => {
  const turns = createTurns(10);
  let running = 0;
  const told: string[] = [];
  const work = (word: string) => async () => {
    running += 1;
    t.is(running, 1);
    await new Promise((resolve) => setImmediate(resolve));
    told.push(word);
    running -= 1;
    if (word === 'bad') throw new Error(word);
    return word;
  };
  const leave = new AbortController();
  const asked = [
    turns('ada', work('a'), NEVER),
    turns('ada', work('bad'), NEVER),
    turns('ada', work('gone'), leave.signal),
    turns('ada', work('b'), NEVER),
  ];
  leave.abort(new Error('the caller went'));
  const answers = await Promise.allSettled(asked);
  t.deepEqual(told, ['a', 'bad', 'b']);
  t.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  );
});

test('more than may wait are turned away', async (t) => {
  const turns = createTurns(2);
  const asked = [1, 2, 3].map((one) => turns('ada', () => Promise.resolve(one), NEVER));
  const error = await t.throwsAsync(asked[2] ?? Promise.resolve());
  t.true(isDomainError(error, 'unavailable', 'BUSY'));
  t.deepEqual(await Promise.all(asked.slice(0, 2)), [1, 2]);
  t.is(await turns('ada', () => Promise.resolve(4), NEVER), 4);
});

test('callers take turns, however much one of them asks', async (t) => {
  const turns = createTurns(100);
  const done: string[] = [];
  const ask = (caller: string, word: string) =>
    turns(caller, async () => void done.push(word), NEVER);
  const asked = [1, 2, 3, 4].map((at) => ask('mallory', `m${at}`));
  await Promise.all([...asked, ask('ada', 'a1'), ask('bob', 'b1')]);
  t.deepEqual(done, ['m1', 'm2', 'a1', 'b1', 'm3', 'm4']);
});

test('one caller leaves room for others', async (t) => {
  const turns = createTurns(8);
  const hold = Promise.withResolvers<void>();
  const ask = (caller: string) => turns(caller, () => hold.promise, NEVER);
  const asked = Array.from({ length: 9 }, () => ask('mallory'));
  const others = [ask('ada'), ask('ada'), ask('ada')];
  hold.resolve();
  const count = async (calls: readonly Promise<void>[]) =>
    (await Promise.allSettled(calls)).filter(({ status }) => status === 'fulfilled').length;
  t.is(await count(asked), 5, 'one at work and four that wait');
  t.is(await count(others), 2);
});

test('whoever goes just when it is his turn passes it on', async (t) => {
  const turns = createTurns(8);
  const hold = Promise.withResolvers<void>();
  const leave = new AbortController();
  const first = turns('ada', () => hold.promise, NEVER);
  const gone = turns('bob', () => Promise.resolve('gone'), leave.signal);
  const last = turns('eve', () => Promise.resolve('last'), NEVER);
  hold.resolve();
  await first;
  leave.abort(new Error('the caller went'));
  await Promise.allSettled([gone]);
  t.is(await last, 'last');
});
