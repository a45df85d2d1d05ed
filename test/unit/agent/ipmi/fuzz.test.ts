import test from 'ava';
import fc from 'fast-check';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import { parseRaw } from '../../../../services/agent/drivers/ipmi/aspects/raw.ts';
import { findOffers } from '../../../../services/agent/drivers/ipmi/offers.ts';
import { decodeDeviceId } from '../../../../services/agent/drivers/ipmi/records/device-id.ts';
import {
  decodeBoardArea,
  decodeFruHeader,
  decodeProductArea,
} from '../../../../services/agent/drivers/ipmi/records/fru.ts';
import { uuidOf } from '../../../../services/agent/drivers/ipmi/records/guid.ts';
import { decodeLogRecord } from '../../../../services/agent/drivers/ipmi/records/log-record.ts';
import { decodeSensorRecord } from '../../../../services/agent/drivers/ipmi/records/sensor-record.ts';
import type { Link } from '../../../../services/agent/drivers/ipmi/session/link.ts';
import { decodeSuiteIds } from '../../../../services/agent/drivers/ipmi/wire/cipher-suite.ts';
import {
  decodeRequest,
  decodeResponse,
} from '../../../../services/agent/drivers/ipmi/wire/message.ts';
import { decodePacket } from '../../../../services/agent/drivers/ipmi/wire/packet.ts';
import {
  decodeOpenSessionRequest,
  decodeOpenSessionResponse,
  decodeProof,
  decodeRakp1,
  decodeRakp2,
} from '../../../../services/agent/drivers/ipmi/wire/rakp.ts';
import { decodeAsf, decodeRmcp } from '../../../../services/agent/drivers/ipmi/wire/rmcp.ts';
import { decodeSol } from '../../../../services/agent/drivers/ipmi/wire/sol.ts';
import { systemClock as clock } from '../../../../services/runtime/clock.ts';
import { pipedController } from '../../../support/ipmi-pipe.ts';
import { propertyRuns } from '../../../support/property-runs.ts';
import { hex, RECORDED } from './recorded-exchange.ts';

const limit = () => AbortSignal.timeout(30_000);

/** Of any kind: noise, and recorded datagrams with a few bytes changed or cut off. */
const datagrams = (): fc.Arbitrary<Buffer> => {
  const recorded = RECORDED.flatMap(({ toConsole, toController }) => [
    ...Object.values(toConsole),
    ...Object.values(toController),
  ]).map(hex);
  const change = fc.record({ at: fc.nat(200), to: fc.integer({ min: 0, max: 255 }) });
  const mutated = fc
    .tuple(fc.constantFrom(...recorded), fc.array(change, { maxLength: 4 }), fc.nat(120))
    .map(([bytes, changes, cut]) => {
      const copy = Buffer.from(bytes);
      for (const { at, to } of changes) copy[at % copy.length] = to;
      return cut < 60 ? copy.subarray(0, copy.length - cut) : copy;
    });
  const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const framed = noise.map((bytes) => Buffer.concat([hex('0600ff07'), bytes]));
  return fc.oneof(mutated, noise, framed);
};

const DECODERS: readonly ((bytes: Buffer) => unknown)[] = [
  ...[decodeRmcp, decodeAsf, decodePacket, decodeRequest, decodeResponse, decodeSuiteIds],
  ...[decodeOpenSessionRequest, decodeOpenSessionResponse, decodeRakp1, decodeRakp2, decodeProof],
  ...[decodeSol, decodeSensorRecord, decodeFruHeader, decodeProductArea, decodeBoardArea, uuidOf],
  ...[decodeDeviceId, (bytes: Buffer) => decodeLogRecord(bytes, new Map())],
];

test('no bytes whatever make a decoder throw, or answer more than it was given', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (noise) => {
      const bytes = Buffer.from(noise);
      for (const decode of DECODERS) {
        const size = JSON.stringify(decode(bytes) ?? null).length;
        t.true(size < 4_000 + bytes.length * 64);
      }
    }),
    { numRuns: propertyRuns(2_000) },
  );
});

test('no datagram whatever makes a controller throw, or answer much more than it was sent', async (t) => {
  const { controller, server } = pipedController(clock);
  fc.assert(
    fc.property(datagrams(), (datagram) => {
      controller.take(datagram, (answer) => t.true(answer.length <= 128 + datagram.length));
    }),
    { numRuns: propertyRuns(5_000) },
  );
  await server.close();
});

/** Ends the session, lowers it, or leaves no user behind. */
const ENDING = new Set([0x3b, 0x3c]);

test('no command whatever goes unanswered, or makes the controller throw', async (t) => {
  const { controller, server, pipe, signIn } = pipedController(clock);
  const session = await signIn(pipe().datagrams);
  const command = fc.record({
    netFn: fc.constantFrom(0x00, 0x04, 0x06, 0x0a, 0x0c, 0x2c),
    command: fc.integer({ min: 0, max: 0x60 }),
    data: fc.uint8Array({ maxLength: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(command, async (asked) => {
      if (asked.netFn === 0x06 && ENDING.has(asked.command)) return;
      const { code, data } = await session.request(asked, limit());
      t.true(code >= 0 && code <= 0xff && data.length <= 64);
    }),
    { numRuns: propertyRuns(3_000) },
  );
  await session.close(limit());
  controller.forget();
  await server.close();
});

test('a session hears nothing of what strangers say into it', async (t) => {
  const { server, pipe, signIn } = pipedController(clock);
  const { datagrams: line, tell } = pipe();
  const session = await signIn(line);
  fc.assert(
    fc.property(datagrams(), (datagram) => {
      tell(datagram);
    }),
    { numRuns: propertyRuns(3_000) },
  );
  const asked = { netFn: 6, command: 1, data: Buffer.alloc(0) };
  t.is((await session.request(asked, limit())).code, 0);
  await session.close(limit());
  await server.close();
});

test('whatever a controller answers, every aspect ends with a value or a BmcError', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(fc.uint8Array({ maxLength: 40 })), async (noise) => {
      let calls = 0;
      const ended = new AbortController();
      const ask: Link['ask'] = async () => {
        calls += 1;
        // Who asks so often waits for something that never comes; the signal ends it.
        if (calls > 3_000) ended.abort(new Error('too often'));
        ended.signal.throwIfAborted();
        const data = Buffer.from(noise.next().value);
        const code = (data[0] ?? 0) < 200 ? 0 : 0xc5;
        return { code, data };
      };
      const link: Link = {
        ...{
          provider: 'fuzzed',
          ask,
          call: async (asked, _, signal) => (await ask(asked, signal)).data,
        },
        connect: () => Promise.reject(new BmcError('unreachable', 'there is no session')),
        close: async () => undefined,
      };
      const deviceId = decodeDeviceId(hex('20 01 03 65 02 bf 7c2a00 1108'));
      if (deviceId === undefined) throw new Error('no device id');
      const quiet = { ...clock, sleep: async () => ended.signal.throwIfAborted() };
      const place = { clock: quiet, link, rules: {}, deviceId, channel: 1, settleMs: 10 };
      const rest = { vendor: '', privilege: 4, passwordSet: () => undefined };
      const { signal } = ended;
      const offers = await findOffers({ ...place, ...rest }, signal).catch(() => undefined);
      if (offers === undefined) return;
      const isExpected = (error: unknown): void => {
        t.true(error instanceof BmcError || signal.aborted, String(error));
      };
      const reads = ['power', 'bootDevice', 'sensors', 'facts', 'indicator'] as const;
      for (const name of reads) {
        const offer = offers[name];
        if (offer.kind !== 'offered') continue;
        calls = 0;
        await offer.aspect.read(signal).catch(isExpected);
      }
      const { log, accounts } = offers;
      calls = 0;
      if (log.kind === 'offered') await log.aspect.read(10, signal).catch(isExpected);
      if (accounts.kind === 'offered') await accounts.aspect.list(signal).catch(isExpected);
    }),
    { numRuns: propertyRuns(60) },
  );
});

test('a request of an operator is read, or refused with what is wrong', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const { netFn, command } = parseRaw(text);
        t.true(netFn % 2 === 0 && command <= 0xff);
      } catch (error) {
        t.true(error instanceof BmcError);
      }
    }),
  );
  t.deepEqual(parseRaw(' 0x06 01 ff').data, Buffer.from([0xff]));
});
