import { BinaryWriter } from '@bufbuild/protobuf/wire';
import test from 'ava';
import { WireFields } from '../../../services/runtime/wire-fields.ts';

const VARINT = 0;
const BYTES = 2;

const varint = (field: number, value: bigint): Buffer =>
  Buffer.from(new BinaryWriter().tag(field, VARINT).uint64(value).finish());

test('numbers of 64 bits are exact', (t) => {
  for (const value of [0n, 1n, 127n, 128n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
    for (const field of [1, 16, 3_000]) {
      const fields = new WireFields(varint(field, value));
      t.true(fields.next());
      t.is(fields.field, field);
      t.is(fields.integer(), value);
      t.false(fields.next());
    }
  }
});

test('what lies in a field is given where it lies, and what follows it is read too', (t) => {
  const message = Buffer.from(
    new BinaryWriter()
      .tag(1, BYTES)
      .bytes(Buffer.from('vorne/größe'))
      .tag(2, VARINT)
      .uint32(300)
      .finish(),
  );
  const fields = new WireFields(message);
  t.true(fields.next());
  t.is(fields.text(), 'vorne/größe');
  t.is(fields.textFrom(6), 'größe');
  t.is(fields.bytes().buffer, message.buffer);
  t.true(fields.next());
  t.is(fields.value, 300);
});

test('a message that ends too early is no message', (t) => {
  const message = varint(1, 2n ** 60n);
  const cut = new WireFields(message.subarray(0, message.length - 1));
  t.throws(() => cut.next(), { message: /decoded/ });
});
