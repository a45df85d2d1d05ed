/**
 * What the console says next while a session is opened, and when it must stop; no sockets, no
 * waits. One handshake proves the password at most once: a code that does not fit ends it, since
 * controllers lock accounts after a few wrong ones.
 */
import type { BmcCredentials } from '../../../bmc-port.ts';
import type { CipherSuite } from '../wire/cipher-suite.ts';
import { suiteOf } from '../wire/cipher-suite.ts';
import { PAYLOAD } from '../wire/packet.ts';
import {
  decodeOpenSessionResponse,
  decodeProof,
  decodeRakp2,
  encodeOpenSessionRequest,
  encodeProof,
  encodeRakp1,
  NAME_ONLY,
  RAKP_STATUS,
} from '../wire/rakp.ts';
import {
  type Exchange,
  isSameCode,
  rakp2Code,
  rakp3Code,
  rakp4Code,
  type SessionKeys,
  sessionKeys,
} from '../wire/session-keys.ts';

export type Outgoing = { readonly payloadType: number; readonly payload: Buffer };

export type Established = {
  readonly consoleSession: number;
  readonly managedSession: number;
  readonly keys: SessionKeys;
  readonly guid: Buffer;
};

/** Why there is no session. `suite` and `privilege` may be tried with other ones. */
export type HandshakeRefusal = 'suite' | 'privilege' | 'credentials' | 'busy' | 'protocol';

export type HandshakeStep =
  | { readonly kind: 'ignored' }
  | { readonly kind: 'send'; readonly next: Outgoing }
  | { readonly kind: 'established'; readonly session: Established }
  | {
      readonly kind: 'refused';
      readonly why: HandshakeRefusal;
      readonly text: string;
      /** To be sent still, so that the controller forgets the attempt. */
      readonly farewell?: Outgoing;
    };

export type HandshakePlan = {
  readonly suite: CipherSuite;
  readonly credentials: BmcCredentials;
  readonly privilege: number;
  /** Not 0. */
  readonly consoleSession: number;
  /** 16 unpredictable bytes. */
  readonly consoleRandom: Buffer;
};

export type Handshake = {
  readonly first: Outgoing;
  readonly take: (payloadType: number, payload: Buffer) => HandshakeStep;
};

const IGNORED: HandshakeStep = { kind: 'ignored' };
const INVALID_CHECK_VALUE = 15;

export const createHandshake = (plan: HandshakePlan): Handshake => {
  let expected: number = PAYLOAD.openSessionResponse;
  let exchange: Exchange | undefined;
  const steps: Readonly<Record<number, (payload: Buffer) => HandshakeStep>> = {
    [PAYLOAD.openSessionResponse]: (payload) => {
      const opened = takeOpened(plan, payload);
      if (opened.kind !== 'opened') return opened;
      exchange = opened.exchange;
      expected = PAYLOAD.rakp2;
      return { kind: 'send', next: rakp1Of(exchange) };
    },
    [PAYLOAD.rakp2]: (payload) => {
      if (exchange === undefined) return IGNORED;
      const proven = takeRakp2(exchange, payload);
      if (proven.kind !== 'proven') return proven;
      exchange = proven.exchange;
      expected = PAYLOAD.rakp4;
      const code = rakp3Code(exchange);
      return { kind: 'send', next: rakp3Of(exchange, 0, code) };
    },
    [PAYLOAD.rakp4]: (payload) => (exchange === undefined ? IGNORED : takeRakp4(exchange, payload)),
  };
  return {
    first: {
      payloadType: PAYLOAD.openSessionRequest,
      payload: encodeOpenSessionRequest({ tag: TAG.open, ...plan.suite, ...wantedOf(plan) }),
    },
    take: (payloadType, payload) =>
      payloadType === expected ? (steps[payloadType]?.(payload) ?? IGNORED) : IGNORED,
  };
};

/** A number of its own for each message, so that a late answer to another one is not taken. */
const TAG = { open: 0x11, rakp1: 0x12, rakp3: 0x13 } as const;

const wantedOf = ({ privilege, consoleSession }: HandshakePlan) => ({ privilege, consoleSession });

type Opened = { readonly kind: 'opened'; readonly exchange: Exchange };

const takeOpened = (plan: HandshakePlan, payload: Buffer): Opened | HandshakeStep => {
  const response = decodeOpenSessionResponse(payload);
  if (response === undefined || response.tag !== TAG.open) return IGNORED;
  const { accepted } = response;
  if (accepted === undefined) return refusedBy(response.status);
  if (accepted.consoleSession !== plan.consoleSession) return IGNORED;
  // Anything else than what was proposed would be a downgrade.
  if (suiteOf(accepted)?.id !== plan.suite.id) {
    return { kind: 'refused', why: 'suite', text: 'it answered with other algorithms' };
  }
  if (accepted.managedSession === 0) {
    return { kind: 'refused', why: 'protocol', text: 'its session id is 0' };
  }
  const exchange: Exchange = {
    suite: plan.suite,
    consoleSession: plan.consoleSession,
    managedSession: accepted.managedSession,
    consoleRandom: plan.consoleRandom,
    managedRandom: Buffer.alloc(0),
    guid: Buffer.alloc(0),
    role: plan.privilege | NAME_ONLY,
    user: Buffer.from(plan.credentials.user, 'utf8'),
    password: Buffer.from(plan.credentials.password, 'utf8'),
  };
  return { kind: 'opened', exchange };
};

const rakp1Of = (exchange: Exchange): Outgoing => {
  const { managedSession, consoleRandom, role, user } = exchange;
  const payload = encodeRakp1({ tag: TAG.rakp1, managedSession, consoleRandom, role, user });
  return { payloadType: PAYLOAD.rakp1, payload };
};

const rakp3Of = (exchange: Exchange, status: number, code: Buffer): Outgoing => ({
  payloadType: PAYLOAD.rakp3,
  payload: encodeProof({ tag: TAG.rakp3, status, session: exchange.managedSession, code }),
});

type Proven = { readonly kind: 'proven'; readonly exchange: Exchange };

const takeRakp2 = (before: Exchange, payload: Buffer): Proven | HandshakeStep => {
  const rakp2 = decodeRakp2(payload);
  if (rakp2 === undefined || rakp2.tag !== TAG.rakp1) return IGNORED;
  if (rakp2.status !== 0) return refusedBy(rakp2.status);
  if (rakp2.consoleSession !== before.consoleSession) return IGNORED;
  const { managedRandom, guid } = rakp2;
  const exchange = { ...before, managedRandom, guid };
  const proven = variantsOf(exchange).find((one) => isSameCode(rakp2Code(one), rakp2.code));
  if (proven !== undefined) return { kind: 'proven', exchange: proven };
  return {
    kind: 'refused',
    why: 'credentials',
    text: 'the password is not the one it knows for this user',
    farewell: rakp3Of(exchange, INVALID_CHECK_VALUE, Buffer.alloc(0)),
  };
};

/**
 * Some controllers compute with the level of the Open Session Request instead of the role of RAKP 1
 * (FreeIPMI's `opensesspriv`: Sun, Inventec, Supermicro X8). Others keep but sixteen bytes of a
 * password, as IPMI 1.5 had them (ipmitool sets them so, too, unless it is told 20). Each proves
 * that the controller knows what it was given; nothing more is sent to find out.
 */
const variantsOf = (exchange: Exchange): readonly Exchange[] => {
  const { role, password } = exchange;
  const short = password.subarray(0, SHORT_PASSWORD_BYTES);
  const passwords = short.length < password.length ? [password, short] : [password];
  return passwords.flatMap((one) => [
    { ...exchange, password: one },
    { ...exchange, password: one, role: role & ~NAME_ONLY },
  ]);
};

const SHORT_PASSWORD_BYTES = 16;

const takeRakp4 = (exchange: Exchange, payload: Buffer): HandshakeStep => {
  const proof = decodeProof(payload);
  if (proof === undefined || proof.tag !== TAG.rakp3) return IGNORED;
  if (proof.status !== 0) return refusedBy(proof.status);
  if (proof.session !== exchange.consoleSession) return IGNORED;
  if (!isSameCode(rakp4Code(exchange), proof.code)) {
    return { kind: 'refused', why: 'protocol', text: 'its RAKP 4 does not authenticate' };
  }
  const { consoleSession, managedSession, guid } = exchange;
  const session = { consoleSession, managedSession, guid, keys: sessionKeys(exchange) };
  return { kind: 'established', session };
};

const SUITE_STATUSES = new Set([4, 5, 6, 7, 16, 17]);
const BUSY_STATUSES = new Set([1, 11]);
const PRIVILEGE_STATUSES = new Set([9, 10]);
const CREDENTIAL_STATUSES = new Set([12, 13, 14, INVALID_CHECK_VALUE]);

const refusedBy = (status: number): HandshakeStep => {
  const text = RAKP_STATUS[status] ?? `status ${status}`;
  return { kind: 'refused', why: whyOf(status), text };
};

const whyOf = (status: number): HandshakeRefusal => {
  if (SUITE_STATUSES.has(status)) return 'suite';
  if (BUSY_STATUSES.has(status)) return 'busy';
  if (PRIVILEGE_STATUSES.has(status)) return 'privilege';
  return CREDENTIAL_STATUSES.has(status) ? 'credentials' : 'protocol';
};
