import test from 'ava';
import fc from 'fast-check';
import {
  decodeSol,
  encodeSol,
  nextSolSequence,
  SOL_STATUS,
  type SolPacket,
} from '../../../../services/agent/drivers/ipmi/wire/sol.ts';
import { createSolReceiver } from '../../../../services/agent/drivers/ipmi/wire/sol-receiver.ts';
import { createSolSender } from '../../../../services/agent/drivers/ipmi/wire/sol-sender.ts';

const NONE: SolPacket = {
  ...{ sequence: 0, acknowledged: 0, accepted: 0, flags: 0, data: Buffer.alloc(0) },
};

test('a packet arrives as it was sent, one that is cut off does not', (t) => {
  const packet = {
    sequence: 3,
    acknowledged: 15,
    accepted: 200,
    flags: 0x40,
    data: Buffer.from('x'),
  };
  t.deepEqual(decodeSol(encodeSol(packet)), packet);
  t.is(decodeSol(Buffer.from([1, 2, 3])), undefined);
});

test('numbers go from 1 to 15 and round again', (t) => {
  t.deepEqual([0, 1, 14, 15].map(nextSolSequence), [1, 2, 15, 1]);
});

test('characters that come twice are taken once', (t) => {
  const receiver = createSolReceiver();
  const packet = { ...NONE, sequence: 1, data: Buffer.from('abc') };
  t.is(receiver.take(packet, 100)?.data.toString(), 'abc');
  t.like(receiver.take(packet, 100), { accepted: 3, acknowledged: 1, isPartial: false });
  t.is(receiver.take(packet, 100)?.data.length, 0);
  t.is(receiver.take(NONE, 100), undefined);
});

test('where there is room for some, the rest waits for the next number', (t) => {
  const receiver = createSolReceiver();
  const packet = { ...NONE, sequence: 4, data: Buffer.from('abcdef') };
  t.is(receiver.take(packet, 0), undefined);
  const first = receiver.take(packet, 2);
  t.like(first, { accepted: 2, isPartial: true });
  t.is(first?.data.toString(), 'ab');
  const again = receiver.take(packet, 100);
  t.like(again, { accepted: 2, isPartial: true });
  t.is(again?.data.length, 0);
});

test('of a packet that was taken in part the rest goes under the next number', (t) => {
  const sender = createSolSender(4);
  sender.push(Buffer.from('abcdef'));
  const first = sender.next();
  t.is(first?.data.toString(), 'abcd');
  t.is(sender.next(), undefined);
  const nack = { ...NONE, acknowledged: first?.sequence ?? 0, accepted: 1, flags: SOL_STATUS.nack };
  t.true(sender.acknowledge(nack, SOL_STATUS.nack));
  const second = sender.next();
  t.is(second?.data.toString(), 'bcde');
  t.is(second?.sequence, nextSolSequence(first?.sequence ?? 0));
  t.false(sender.acknowledge({ ...NONE, acknowledged: 9 }, SOL_STATUS.nack));
});

test('over any line that loses and repeats, all characters arrive once and in order', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 10 }),
      fc.infiniteStream(
        fc.constantFrom('pass', 'lose', 'lose answer', 'some', 'some, twice', 'full', 'twice'),
      ),
      fc.integer({ min: 1, max: 20 }),
      (pieces, luck, packetBytes) => {
        const sender = createSolSender(packetBytes);
        const receiver = createSolReceiver();
        const got: Buffer[] = [];
        for (const piece of pieces) sender.push(piece);
        const deliver = (packet: Pick<SolPacket, 'sequence' | 'data'>, room: number) => {
          const taken = receiver.take({ ...NONE, ...packet }, room);
          if (taken === undefined) return undefined;
          got.push(Buffer.from(taken.data));
          const flags = taken.isPartial ? SOL_STATUS.nack : 0;
          return { ...NONE, acknowledged: taken.acknowledged, accepted: taken.accepted, flags };
        };
        let rounds = 0;
        for (let packet = sender.next(); packet !== undefined; ) {
          rounds += 1;
          // A line that loses everything for ever delivers nothing.
          const fate = rounds > 500 ? 'pass' : luck.next().value;
          const room = fate === 'full' ? 0 : fate.startsWith('some') ? 3 : 1_000;
          const answer = fate === 'lose' ? undefined : deliver(packet, room);
          if (fate.endsWith('twice')) deliver(packet, 1_000);
          const isHeard = answer !== undefined && fate !== 'lose answer';
          packet =
            isHeard && sender.acknowledge(answer, SOL_STATUS.nack)
              ? sender.next()
              : sender.next('again');
        }
        const sent = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
        t.deepEqual(Buffer.concat(got), sent);
      },
    ),
  );
});
