import test from 'ava';
import fc from 'fast-check';
import {
  createQmpDecoder,
  encodeQmpCommand,
} from '../../../../../services/agent/drivers/qemu/qmp-codec.ts';

const LINES = [
  '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}',
  '{"return": {}, "id": 1}',
  '{"error": {"class": "GenericError", "desc": "no"}, "id": 2}',
  '{"timestamp": {"seconds": 1}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "x"}}',
  '{"event": "STOP"}',
];
const MESSAGES = [
  { kind: 'greeting', version: '7.2.22' },
  { kind: 'return', id: 1, value: {} },
  { kind: 'error', id: 2, errorClass: 'GenericError', description: 'no' },
  { kind: 'event', name: 'SHUTDOWN', data: { guest: true, reason: 'x' } },
  { kind: 'event', name: 'STOP', data: {} },
];

test('messages are the same however the bytes are cut', (t) => {
  const bytes = Buffer.from(LINES.map((line) => `${line}\r\n`).join(''));
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length })), (cuts) => {
      const decoder = createQmpDecoder(10_000);
      const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const messages = edges.flatMap((edge, i) => decoder.push(bytes.subarray(edges[i - 1], edge)));
      t.deepEqual(messages, MESSAGES);
    }),
  );
});

for (const line of ['not json', '{"neither": 1}', '[]', 'null', '{"event": 5}']) {
  test(`the line ${line} is refused`, (t) => {
    const decode = () => createQmpDecoder(1_000).push(Buffer.from(`${line}\n`));
    t.like(t.throws(decode), { reason: 'QMP_MALFORMED' });
  });
}

test('a line without an end is refused at its bound', (t) => {
  const decoder = createQmpDecoder(100);
  t.deepEqual(decoder.push(Buffer.alloc(100, 'a')), []);
  t.like(
    t.throws(() => decoder.push(Buffer.from('a'))),
    { reason: 'QMP_MALFORMED' },
  );
});

test('a command carries its id, and arguments only when there are some', (t) => {
  t.is(encodeQmpCommand(3, 'stop', undefined), '{"execute":"stop","id":3}\n');
  t.is(
    encodeQmpCommand(4, 'screendump', { filename: 'a"b' }),
    '{"execute":"screendump","arguments":{"filename":"a\\"b"},"id":4}\n',
  );
});
