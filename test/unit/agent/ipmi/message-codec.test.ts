import test from 'ava';
import fc from 'fast-check';
import {
  checksum,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../../../services/agent/drivers/ipmi/wire/message.ts';
import { decodePacket, encodePlain } from '../../../../services/agent/drivers/ipmi/wire/packet.ts';
import {
  decodeAsf,
  decodeRmcp,
  encodeAsf,
  encodeRmcp,
} from '../../../../services/agent/drivers/ipmi/wire/rmcp.ts';
import { hex } from './recorded-exchange.ts';

/**
 * Get Channel Authentication Capabilities as ipmitool and a Supermicro X10DRW-E said it
 * (https://github.com/ipmitool/ipmitool/issues/154).
 */
const ASKED = '0600ff07000000000000000000092018c88100388e04b5';
const ANSWERED = '0600ff0700000000000000000010811c63200038000196040345530000 72';

test('a question before there is a session has the bytes that ipmitool sends', (t) => {
  const request = { netFn: 6, command: 0x38, data: Buffer.from([0x8e, 0x04]) };
  const datagram = encodeRmcp('ipmi', encodePlain(encodeRequest(request, 0)));
  t.is(datagram.toString('hex'), ASKED);
});

test('the answer of a real controller is read', (t) => {
  const packet = decodePacket(decodeRmcp(hex(ANSWERED))?.body ?? Buffer.alloc(0));
  const response = decodeResponse(packet?.payload ?? Buffer.alloc(0));
  t.like(response, { netFn: 6, command: 0x38, sequence: 0, code: 0 });
  t.is(response?.data.toString('hex'), '019604034553' + '0000');
});

test('a message with a wrong checksum is none', (t) => {
  const message = encodeRequest({ netFn: 0, command: 2, data: Buffer.from([1]) }, 5);
  for (let at = 0; at < message.length; at += 1) {
    const wrong = Buffer.from(message);
    wrong[at] = ((wrong[at] ?? 0) + 1) & 0xff;
    t.is(decodeRequest(wrong), undefined, `byte ${at}`);
  }
});

test('what is asked and answered arrives as it was sent', (t) => {
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(
      fc.record({
        netFn: fc.integer({ min: 0, max: 31 }).map((value) => value * 2),
        command: byte,
        data: fc.uint8Array({ maxLength: 200 }),
        lun: fc.integer({ min: 0, max: 3 }),
      }),
      fc.integer({ min: 0, max: 63 }),
      byte,
      (asked, sequence, code) => {
        const request = decodeRequest(encodeRequest(asked, sequence));
        if (request === undefined) throw new Error('the request was not decoded');
        const { netFn, command, lun } = asked;
        t.like(request, { netFn, command, lun, sequence });
        t.deepEqual(Buffer.from(request.data), Buffer.from(asked.data));
        const answer = encodeResponse(request, { code, data: Buffer.from(asked.data) });
        const response = decodeResponse(answer);
        t.like(response, { netFn, command, sequence, code });
        t.deepEqual(response?.data, Buffer.from(asked.data));
        t.is(checksum(answer.subarray(0, 3)), 0);
      },
    ),
  );
});

test('a ping is answered by a pong with its tag', (t) => {
  const ping = hex('0600ff06000011be80070000');
  t.is(
    encodeRmcp('asf', encodeAsf({ kind: 'ping', tag: 7 })).toString('hex'),
    ping.toString('hex'),
  );
  // From ipmi_sim: entity 11BEh, IPMI supported, ASF 1.0.
  const pong = hex('0600ff06000011be40070010 000011be00000000 8100000000000000');
  const body = decodeRmcp(pong)?.body ?? Buffer.alloc(0);
  t.deepEqual(decodeAsf(body), { kind: 'pong', tag: 7, ipmi: true });
  t.deepEqual(encodeAsf({ kind: 'pong', tag: 7, ipmi: true }), body);
});
