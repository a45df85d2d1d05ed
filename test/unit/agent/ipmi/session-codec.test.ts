import test from 'ava';
import {
  CIPHER_SUITES,
  cipherSuite,
  decodeSuiteIds,
  encodeSuites,
} from '../../../../services/agent/drivers/ipmi/wire/cipher-suite.ts';
import { decodePacket, PAYLOAD } from '../../../../services/agent/drivers/ipmi/wire/packet.ts';
import {
  decodeOpenSessionRequest,
  decodeOpenSessionResponse,
  decodeProof,
  decodeRakp1,
  decodeRakp2,
  encodeOpenSessionRequest,
  encodeOpenSessionResponse,
  encodeProof,
  encodeRakp1,
  encodeRakp2,
} from '../../../../services/agent/drivers/ipmi/wire/rakp.ts';
import { decodeRmcp, encodeRmcp } from '../../../../services/agent/drivers/ipmi/wire/rmcp.ts';
import { seal, unseal } from '../../../../services/agent/drivers/ipmi/wire/seal.ts';
import {
  type Exchange,
  isSameCode,
  rakp2Code,
  rakp3Code,
  rakp4Code,
  sessionKeys,
} from '../../../../services/agent/drivers/ipmi/wire/session-keys.ts';
import { CREDENTIALS, hex, RECORDED, type Recorded } from './recorded-exchange.ts';

const packetIn = (datagram: string) => {
  const packet = decodePacket(decodeRmcp(hex(datagram))?.body ?? Buffer.alloc(0));
  if (packet?.kind !== 'rmcp+') throw new Error('no RMCP+ packet');
  return packet;
};

const payloadIn = (datagram: string): Buffer => packetIn(datagram).payload;

const defined = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('it was not decoded');
  return value;
};

const exchangeOf = ({ suite, toController, toConsole }: Recorded): Exchange => {
  const rakp1 = defined(decodeRakp1(payloadIn(toController.rakp1)));
  const rakp2 = defined(decodeRakp2(payloadIn(toConsole.rakp2)));
  return {
    suite: cipherSuite(suite),
    consoleSession: rakp2.consoleSession,
    managedSession: rakp1.managedSession,
    consoleRandom: rakp1.consoleRandom,
    managedRandom: rakp2.managedRandom,
    guid: rakp2.guid,
    role: rakp1.role,
    user: rakp1.user,
    password: Buffer.from(CREDENTIALS.password),
  };
};

for (const recorded of RECORDED) {
  const { suite, toController, toConsole } = recorded;

  test(`the recorded proofs of suite ${suite} are what we compute`, (t) => {
    const exchange = exchangeOf(recorded);
    const rakp2 = defined(decodeRakp2(payloadIn(toConsole.rakp2)));
    const rakp3 = defined(decodeProof(payloadIn(toController.rakp3)));
    const rakp4 = defined(decodeProof(payloadIn(toConsole.rakp4)));
    t.deepEqual(rakp2Code(exchange), rakp2.code);
    t.deepEqual(rakp3Code(exchange), rakp3.code);
    t.deepEqual(rakp4Code(exchange), rakp4.code);
  });

  test(`the recorded keys of suite ${suite} are what we derive`, (t) => {
    const keys = sessionKeys(exchangeOf(recorded));
    t.is(keys.integrity.toString('hex'), recorded.integrityKey);
    t.is(keys.encryption.toString('hex'), recorded.encryptionKey);
  });

  test(`recorded packets of suite ${suite} open, and sealing gives the same bytes`, (t) => {
    const keys = sessionKeys(exchangeOf(recorded));
    const packet = packetIn(toController.setPrivilege);
    const message = defined(unseal(packet, keys));
    t.is(message.toString('hex'), recorded.message);
    t.is(unseal(packetIn(toConsole.privilegeSet), keys)?.toString('hex'), recorded.answer);
    const iv = packet.payload.subarray(0, 16);
    const again = seal({ ...packet }, message, { keys, iv });
    t.is(encodeRmcp('ipmi', again).toString('hex'), toController.setPrivilege);
  });

  test(`a packet of suite ${suite} with any bit changed does not open`, (t) => {
    const keys = sessionKeys(exchangeOf(recorded));
    const original = hex(toController.setPrivilege);
    for (let at = 4; at < original.length; at += 1) {
      const changed = Buffer.from(original);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      const packet = decodePacket(changed.subarray(4));
      if (packet?.kind !== 'rmcp+') continue;
      t.is(unseal(packet, keys), undefined, `byte ${at}`);
    }
  });

  test(`the recorded handshake of suite ${suite} decodes and encodes to itself`, (t) => {
    const request = defined(decodeOpenSessionRequest(payloadIn(toController.open)));
    t.like(request, { tag: 0, privilege: 0, consoleSession: 0xa0a2a3a4 });
    t.deepEqual(encodeOpenSessionRequest(request), payloadIn(toController.open));
    const response = defined(decodeOpenSessionResponse(payloadIn(toConsole.open)));
    t.is(response.status, 0);
    const opened = encodeOpenSessionResponse(response, request.consoleSession);
    t.deepEqual(opened, payloadIn(toConsole.open));
    const rakp1 = defined(decodeRakp1(payloadIn(toController.rakp1)));
    t.is(rakp1.user.toString(), CREDENTIALS.user);
    t.deepEqual(encodeRakp1(rakp1), payloadIn(toController.rakp1));
    const rakp2 = defined(decodeRakp2(payloadIn(toConsole.rakp2)));
    t.deepEqual(encodeRakp2(rakp2), payloadIn(toConsole.rakp2));
    const rakp4 = defined(decodeProof(payloadIn(toConsole.rakp4)));
    t.deepEqual(encodeProof(rakp4), payloadIn(toConsole.rakp4));
    t.is(packetIn(toConsole.rakp4).payloadType, PAYLOAD.rakp4);
  });
}

test('codes of different lengths are never the same', (t) => {
  t.false(isSameCode(Buffer.from([1, 2]), Buffer.from([1, 2, 3])));
  t.false(isSameCode(Buffer.alloc(0), Buffer.from([0])));
  t.true(isSameCode(Buffer.from([1, 2]), Buffer.from([1, 2])));
});

test('cipher suite records are read over OEM ones and behind unknown algorithms', (t) => {
  // Suite 3; an OEM suite 80h of IANA 001234h; suite 17 (IPMI 2.0 table 22-18).
  const records = hex('c003014181 c180341200 034481 c011034481');
  t.deepEqual(decodeSuiteIds(records), [3, 17]);
  t.deepEqual(decodeSuiteIds(encodeSuites(CIPHER_SUITES)), [17, 3]);
  t.deepEqual(decodeSuiteIds(hex('c0')), []);
});
