import test from 'ava';
import { createTurns } from '../../../../../services/agent/drivers/qemu/turns.ts';

test('work on one key is done in order, and on two keys at once', async (t) => {
  const turns = createTurns();
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turns.take('a', async () => {
    await gate.promise;
    done.push('a1');
  });
  const second = turns.take('a', async () => void done.push('a2'));
  await turns.take('b', async () => void done.push('b'));
  gate.resolve();
  await Promise.all([first, second]);
  t.deepEqual(done, ['b', 'a1', 'a2']);
});

test('work that fails keeps nobody from the next turn', async (t) => {
  const turns = createTurns();
  const failing = turns.take('a', async () => {
    throw new Error('no');
  });
  const next = turns.take('a', async () => 'done');
  await t.throwsAsync(failing, { message: 'no' });
  t.is(await next, 'done');
});

test('idle waits for every turn asked for before', async (t) => {
  const turns = createTurns();
  const gate = Promise.withResolvers<void>();
  let done = false;
  const turn = turns.take('a', async () => {
    await gate.promise;
    done = true;
  });
  const idle = turns.idle();
  gate.resolve();
  await idle;
  t.true(done);
  await turn;
});
