import test from 'ava';
import { createBoundedQueue } from '../../../services/runtime/bounded-queue.ts';

const never = new AbortController().signal;

test('items come out in order, and a full queue refuses', async (t) => {
  const queue = createBoundedQueue<number>(2);
  t.deepEqual([1, 2, 3].map(queue.offer), [true, true, false]);
  t.is(queue.size(), 2);
  t.is(await queue.take(never), 1);
  t.true(queue.offer(4));
  t.deepEqual(queue.drain(), [2, 4]);
});

test('a waiting taker gets the next item', async (t) => {
  const queue = createBoundedQueue<string>(1);
  const taken = queue.take(never);
  queue.offer('late');
  t.is(await taken, 'late');
});

test('a taker that gives up does not swallow an item', async (t) => {
  const queue = createBoundedQueue<string>(1);
  const abort = new AbortController();
  const gone = queue.take(abort.signal);
  abort.abort(new Error('enough'));
  await t.throwsAsync(gone, { message: 'enough' });
  queue.offer('kept');
  t.is(await queue.take(never), 'kept');
});

test('a closed queue gives what it holds and then nothing', async (t) => {
  const queue = createBoundedQueue<string>(2);
  queue.offer('last');
  queue.close();
  t.false(queue.offer('later'));
  t.is(await queue.take(never), 'last');
  t.is(await queue.take(never), undefined);
});

test('closing wakes whoever waits', async (t) => {
  const queue = createBoundedQueue<string>(2);
  const waiting = [queue.take(never), queue.take(never)];
  queue.close();
  t.deepEqual(await Promise.all(waiting), [undefined, undefined]);
});
