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
    turns(work('a'), NEVER),
    turns(work('bad'), NEVER),
    turns(work('gone'), leave.signal),
    turns(work('b'), NEVER),
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
  const asked = [1, 2, 3].map((one) => turns(() => Promise.resolve(one), NEVER));
  const error = await t.throwsAsync(asked[2] ?? Promise.resolve());
  t.true(isDomainError(error, 'unavailable', 'BUSY'));
  t.deepEqual(await Promise.all(asked.slice(0, 2)), [1, 2]);
  t.is(await turns(() => Promise.resolve(4), NEVER), 4);
});
