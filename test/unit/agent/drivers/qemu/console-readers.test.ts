import test from 'ava';
import {
  type ConsoleChunk,
  createConsoleReaders,
} from '../../../../../services/agent/drivers/qemu/console-readers.ts';
import { eventually } from '../../../../support/eventually.ts';

const collect = (chunks: AsyncIterable<ConsoleChunk>) => {
  const seen: ConsoleChunk[] = [];
  const over = (async () => {
    for await (const chunk of chunks) seen.push(chunk);
  })();
  const text = () =>
    seen.map((chunk) => (chunk.kind === 'bytes' ? chunk.bytes.toString() : '')).join('');
  return { seen, over, text };
};

test('every reader gets its beginning and then everything, in order', async (t) => {
  const readers = createConsoleReaders(1_000);
  const one = collect(readers.subscribe(Buffer.from('past ')));
  readers.publish(Buffer.from('a'));
  const two = collect(readers.subscribe(Buffer.alloc(0)));
  readers.publish(Buffer.from('b'));
  await eventually(() => two.text() === 'b');
  readers.publish(Buffer.from('c'));
  readers.endAll();
  await Promise.all([one.over, two.over]);
  t.is(one.text(), 'past abc');
  t.is(two.text(), 'bc');
  t.deepEqual(one.seen.at(-1), { kind: 'ended', why: 'removed' });
});

test('a reader that does not keep up is dropped and told, and the others go on', async (t) => {
  const readers = createConsoleReaders(10);
  const slow = readers.subscribe(Buffer.alloc(0));
  readers.publish(Buffer.alloc(10, 'x'));
  t.is(readers.count(), 1);
  readers.publish(Buffer.from('y'));
  t.is(readers.count(), 0);
  const late = collect(slow);
  await late.over;
  t.is(late.text(), 'x'.repeat(10));
  t.deepEqual(late.seen.at(-1), { kind: 'ended', why: 'too_slow' });
});

test('a reader leaves by its signal, whether it waits or not', async (t) => {
  const readers = createConsoleReaders(10);
  const leave = new AbortController();
  const reader = collect(readers.subscribe(Buffer.from('x'), leave.signal));
  await eventually(() => reader.text() === 'x');
  leave.abort();
  await reader.over;
  t.is(readers.count(), 0);
  t.is(reader.seen.length, 1);
});

test('a reader that stops reading is forgotten', async (t) => {
  const readers = createConsoleReaders(10);
  for await (const chunk of readers.subscribe(Buffer.from('x'))) {
    t.is(chunk.kind, 'bytes');
    break;
  }
  t.is(readers.count(), 0);
});
