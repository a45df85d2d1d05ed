import test from 'ava';
import { createOutbox } from '../../../services/machine/work/outbox.ts';

test('messages come in order, and one that waits is woken by the next', async (t) => {
  const outbox = createOutbox<string>(10);
  const filled = outbox.filled();
  t.is(outbox.take(), undefined);
  t.true(outbox.push('a'));
  t.true(outbox.push('b'));
  t.true(await filled);
  t.is(outbox.take(), 'a');
  t.true(outbox.push('c'));
  t.is(outbox.take(), 'b');
  t.true(await outbox.filled());
  t.is(outbox.take(), 'c');
  t.is(outbox.take(), undefined);
});

test('a full outbox takes nothing more, and takes again when one is taken', (t) => {
  const outbox = createOutbox<number>(2);
  t.true(outbox.push(1));
  t.true(outbox.push(2));
  t.false(outbox.push(3));
  t.is(outbox.take(), 1);
  t.true(outbox.push(4));
  t.false(outbox.push(5));
  t.is(outbox.take(), 2);
  t.is(outbox.take(), 4);
});

test('an outbox that never gets empty keeps the order', (t) => {
  const outbox = createOutbox<number>(1_000);
  for (let at = 0; at < 500; at += 1) outbox.push(at);
  for (let at = 0; at < 2_000; at += 1) {
    t.is(outbox.take(), at);
    t.true(outbox.push(at + 500));
  }
});

test('what was queued before the end is still delivered', async (t) => {
  const outbox = createOutbox<string>(10);
  outbox.push('last');
  outbox.end();
  t.false(outbox.push('late'));
  t.true(await outbox.filled());
  t.is(outbox.take(), 'last');
  t.false(await outbox.filled());
});

test('one that waits for a message learns of the end', async (t) => {
  const outbox = createOutbox<string>(10);
  const filled = outbox.filled();
  outbox.end();
  t.false(await filled);
});

test('room comes when what was queued is taken, or with the end', async (t) => {
  const outbox = createOutbox<number>(100);
  for (let at = 0; at < 64; at += 1) outbox.push(at);
  let rooms = 0;
  const waiting = [outbox.room(), outbox.room()].map((one) =>
    one.then(() => {
      rooms += 1;
    }),
  );
  await outbox.filled();
  t.is(rooms, 0);
  while (outbox.take() !== undefined);
  await Promise.all(waiting);
  await outbox.room();
  for (let at = 0; at < 64; at += 1) outbox.push(at);
  const last = outbox.room();
  outbox.end();
  await last;
  t.is(rooms, 2);
});
