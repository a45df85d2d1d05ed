import test from 'ava';
import {
  createHandshake,
  type HandshakeStep,
} from '../../../../services/agent/drivers/ipmi/session/handshake.ts';
import { cipherSuite } from '../../../../services/agent/drivers/ipmi/wire/cipher-suite.ts';
import { PAYLOAD } from '../../../../services/agent/drivers/ipmi/wire/packet.ts';
import {
  decodeOpenSessionRequest,
  decodeProof,
  decodeRakp1,
  encodeOpenSessionResponse,
  encodeProof,
  encodeRakp2,
} from '../../../../services/agent/drivers/ipmi/wire/rakp.ts';
import {
  type Exchange,
  rakp2Code,
  rakp4Code,
} from '../../../../services/agent/drivers/ipmi/wire/session-keys.ts';

const CREDENTIALS = { user: 'admin', password: 'secret' };
const PLAN = {
  suite: cipherSuite(17),
  credentials: CREDENTIALS,
  privilege: 4,
  consoleSession: 0x1234_5678,
  consoleRandom: Buffer.alloc(16, 7),
};
const MANAGED_SESSION = 0x42;
const NOTHING = Buffer.alloc(0);

type Controller = {
  /** What the console was told; as the controller has it where absent. */
  readonly told?: string;
  readonly password?: string;
  /** The role that it computes with. */
  readonly role?: number;
  readonly suite?: 3 | 17;
  readonly rakp2Status?: number;
};

/** Goes through a handshake with a controller that is like that, and answers the last step. */
const run = (controller: Controller): HandshakeStep => {
  const credentials = { ...CREDENTIALS, password: controller.told ?? CREDENTIALS.password };
  const handshake = createHandshake({ ...PLAN, credentials });
  const request = decodeOpenSessionRequest(handshake.first.payload);
  if (request === undefined) throw new Error('no request');
  const accepted = {
    ...cipherSuite(controller.suite ?? 17),
    ...{ privilege: 4, consoleSession: PLAN.consoleSession, managedSession: MANAGED_SESSION },
  };
  const opened = handshake.take(
    PAYLOAD.openSessionResponse,
    encodeOpenSessionResponse({ tag: request.tag, status: 0, accepted }, PLAN.consoleSession),
  );
  if (opened.kind !== 'send') return opened;
  const rakp1 = decodeRakp1(opened.next.payload);
  if (rakp1 === undefined) throw new Error('no RAKP 1');
  const exchange: Exchange = {
    suite: PLAN.suite,
    consoleSession: PLAN.consoleSession,
    managedSession: MANAGED_SESSION,
    consoleRandom: rakp1.consoleRandom,
    managedRandom: Buffer.alloc(16, 9),
    guid: Buffer.alloc(16, 3),
    role: controller.role ?? rakp1.role,
    user: rakp1.user,
    password: Buffer.from(controller.password ?? CREDENTIALS.password),
  };
  const { managedRandom, guid } = exchange;
  const proven = handshake.take(
    PAYLOAD.rakp2,
    encodeRakp2({
      ...{ tag: rakp1.tag, status: controller.rakp2Status ?? 0 },
      ...{ consoleSession: PLAN.consoleSession, managedRandom, guid, code: rakp2Code(exchange) },
    }),
  );
  if (proven.kind !== 'send') return proven;
  const rakp3 = decodeProof(proven.next.payload);
  const proof = { session: PLAN.consoleSession, code: rakp4Code(exchange) };
  const answer = encodeProof({ tag: rakp3?.tag ?? 0, status: 0, ...proof });
  return handshake.take(PAYLOAD.rakp4, answer);
};

test('both sides come to the same session', (t) => {
  const step = run({});
  t.is(step.kind, 'established');
  t.like(step, { session: { managedSession: MANAGED_SESSION } });
});

test('a controller that computes with the level instead of the role is understood', (t) => {
  t.is(run({ role: 4 }).kind, 'established');
});

test('a controller that keeps sixteen bytes of a longer password is signed in to', (t) => {
  t.is(run({ told: 'sixteen-bytes-and-4', password: 'sixteen-bytes-an' }).kind, 'established');
  t.is(run({ told: 'sixteen-bytes-an', password: 'sixteen-bytes-a' }).kind, 'refused');
  t.is(run({ told: 'sixteen-bytes-and-4', password: 'sixteen-bytes-a' }).kind, 'refused');
});

test('a wrong password ends it, and the controller is told', (t) => {
  const step = run({ password: 'another' });
  if (step.kind !== 'refused') throw new Error(step.kind);
  t.is(step.why, 'credentials');
  const farewell = decodeProof(step.farewell?.payload ?? NOTHING);
  t.like(farewell, { status: 15, session: MANAGED_SESSION });
  t.is(farewell?.code.length, 0);
});

test('a controller that answers with weaker algorithms is refused', (t) => {
  const step = run({ suite: 3 });
  t.like(step, { kind: 'refused', why: 'suite' });
});

const REFUSALS = [
  { status: 0x01, why: 'busy' },
  { status: 0x0a, why: 'privilege' },
  { status: 0x0d, why: 'credentials' },
  { status: 0x11, why: 'suite' },
  { status: 0x12, why: 'protocol' },
] as const;

for (const { status, why } of REFUSALS) {
  test(`status ${status} of RAKP 2 means ${why}`, (t) => {
    t.like(run({ rakp2Status: status }), { kind: 'refused', why });
  });
}

test('messages out of turn, of another tag or of another session are ignored', (t) => {
  const handshake = createHandshake(PLAN);
  const accepted = {
    ...PLAN.suite,
    ...{ privilege: 4, consoleSession: PLAN.consoleSession, managedSession: 1 },
  };
  const request = decodeOpenSessionRequest(handshake.first.payload);
  const tag = request?.tag ?? 0;
  const other = encodeOpenSessionResponse({ tag: tag + 1, status: 0, accepted }, 0);
  t.is(handshake.take(PAYLOAD.openSessionResponse, other).kind, 'ignored');
  const strange = { ...accepted, consoleSession: 99 };
  const elsewhere = encodeOpenSessionResponse({ tag, status: 0, accepted: strange }, 99);
  t.is(handshake.take(PAYLOAD.openSessionResponse, elsewhere).kind, 'ignored');
  const early = encodeProof({ tag: 0x13, status: 0, session: 1, code: NOTHING });
  t.is(handshake.take(PAYLOAD.rakp4, early).kind, 'ignored');
});
