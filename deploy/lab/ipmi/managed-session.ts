/**
 * The managed side of opening a session (IPMI 2.0 §13.17 to §13.23), and the session it ends in.
 * A message that comes twice is answered as the first time: its answer may have been lost.
 */
import type { CipherSuite } from '../../../services/agent/drivers/ipmi/wire/cipher-suite.ts';
import { suiteOf } from '../../../services/agent/drivers/ipmi/wire/cipher-suite.ts';
import {
  decodeOpenSessionRequest,
  decodeProof,
  decodeRakp1,
  encodeOpenSessionResponse,
  encodeProof,
  encodeRakp2,
} from '../../../services/agent/drivers/ipmi/wire/rakp.ts';
import {
  AHEAD_MAX,
  createSequenceWindow,
  nextSequence,
  type SequenceWindow,
} from '../../../services/agent/drivers/ipmi/wire/sequence-window.ts';
import {
  type Exchange,
  isSameCode,
  rakp2Code,
  rakp3Code,
  rakp4Code,
  type SessionKeys,
  sessionKeys,
} from '../../../services/agent/drivers/ipmi/wire/session-keys.ts';
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import type { LabAccount } from '../server-port.ts';
import { LEVEL_OF } from './privilege.ts';

export type ManagedSession = {
  readonly id: number;
  readonly consoleSession: number;
  readonly keys: SessionKeys;
  readonly slot: number;
  /** Most that it may be raised to. */
  readonly privilegeMax: number;
  privilege: number;
  readonly window: SequenceWindow;
  sequence: number;
  lastUsedMs: number;
};

export type ManagedHandshake = {
  /** Each answers the payload to send; undefined: nothing. */
  readonly open: (payload: Buffer) => Buffer | undefined;
  readonly rakp1: (payload: Buffer) => Buffer | undefined;
  readonly rakp3: (payload: Buffer) => Buffer | undefined;
};

export type ManagedHandshakeDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly guid: Buffer;
  readonly suites: readonly CipherSuite[];
  readonly accounts: () => readonly LabAccount[];
  /** False: a role that the user may not have is no reason to refuse the session. */
  readonly checksRole: boolean;
  /** False: it has as many sessions as it can. */
  readonly hasRoom: () => boolean;
  readonly established: (session: ManagedSession) => void;
  /** Somebody could not prove the password of that user, or there is no such user. */
  readonly refused: (user: string) => void;
};

const STATUS = {
  ok: 0x00,
  noResources: 0x01,
  invalidSession: 0x02,
  unauthorizedRole: 0x0a,
  unauthorizedName: 0x0d,
  invalidCheckValue: 0x0f,
  noSuite: 0x11,
} as const;

type Opening = {
  readonly id: number;
  readonly consoleSession: number;
  readonly suite: CipherSuite;
  readonly startedMs: number;
  exchange?: Exchange;
  account?: LabAccount;
  /** RAKP 4 as it was sent. */
  last?: Buffer;
};

const OPENINGS_MAX = 16;
const OPENING_LIMIT_MS = 30_000;
/** For how long RAKP 3 is answered again. */
const REPEAT_LIMIT_MS = 5_000;

export const createManagedHandshake = (deps: ManagedHandshakeDeps): ManagedHandshake => {
  const { clock, random } = deps;
  const openings = new Map<number, Opening>();

  /** Those that were given up make room for new ones. */
  const forgetOld = (): void => {
    for (const [id, { startedMs, last }] of openings) {
      const limitMs = last === undefined ? OPENING_LIMIT_MS : REPEAT_LIMIT_MS;
      if (clock.monotonicMs() - startedMs > limitMs) openings.delete(id);
    }
  };
  const isFull = (): boolean =>
    [...openings.values()].filter(({ last }) => last === undefined).length >= OPENINGS_MAX;

  const open: ManagedHandshake['open'] = (payload) => {
    const request = decodeOpenSessionRequest(payload);
    if (request === undefined) return undefined;
    const { tag, consoleSession } = request;
    const refuse = (status: number): Buffer =>
      encodeOpenSessionResponse({ tag, status, accepted: undefined }, consoleSession);
    const suite = suiteOf(request);
    if (suite === undefined || !deps.suites.includes(suite)) return refuse(STATUS.noSuite);
    forgetOld();
    if (isFull() || !deps.hasRoom()) return refuse(STATUS.noResources);
    const id = random.bytes(4).readUInt32LE() || 1;
    openings.set(id, { id, consoleSession, suite, startedMs: clock.monotonicMs() });
    const privilege = request.privilege === 0 ? LEVEL_OF.administrator : request.privilege;
    const accepted = { ...suite, privilege, consoleSession, managedSession: id };
    return encodeOpenSessionResponse({ tag, status: 0, accepted }, consoleSession);
  };

  const rakp1: ManagedHandshake['rakp1'] = (payload) => {
    const request = decodeRakp1(payload);
    const opening = request === undefined ? undefined : openings.get(request.managedSession);
    if (request === undefined || opening === undefined) return undefined;
    const { tag, consoleRandom, role, user } = request;
    const none = Buffer.alloc(0);
    const { consoleSession } = opening;
    const refuse = (status: number): Buffer => {
      openings.delete(opening.id);
      const empty = { managedRandom: none, guid: none, code: none };
      return encodeRakp2({ tag, status, consoleSession, ...empty });
    };
    const name = user.toString('utf8');
    const account = deps.accounts().find((one) => one.user === name && one.enabled);
    if (account === undefined || name === '') {
      deps.refused(name);
      return refuse(STATUS.unauthorizedName);
    }
    const level = role & 0x0f;
    const isTooHigh = level > LEVEL_OF[account.privilege];
    if (deps.checksRole && isTooHigh) return refuse(STATUS.unauthorizedRole);
    opening.account = account;
    opening.exchange = {
      ...{ suite: opening.suite, consoleSession, managedSession: opening.id, consoleRandom },
      managedRandom: opening.exchange?.managedRandom ?? random.bytes(16),
      ...{ guid: deps.guid, role, user, password: Buffer.from(account.password) },
    };
    const { exchange } = opening;
    const { managedRandom, guid } = exchange;
    const code = rakp2Code(exchange);
    return encodeRakp2({ tag, status: 0, consoleSession, managedRandom, guid, code });
  };

  const rakp3: ManagedHandshake['rakp3'] = (payload) => {
    const proof = decodeProof(payload);
    const opening = proof === undefined ? undefined : openings.get(proof.session);
    if (proof === undefined || opening?.exchange === undefined) return undefined;
    if (opening.last !== undefined) return opening.last;
    const { exchange, consoleSession, account } = opening;
    const answer = (status: number, code: Buffer): Buffer =>
      encodeProof({ tag: proof.tag, status, session: consoleSession, code });
    const isProven = proof.status === 0 && isSameCode(rakp3Code(exchange), proof.code);
    if (!isProven || account === undefined) {
      openings.delete(opening.id);
      deps.refused(exchange.user.toString('utf8'));
      return proof.status === 0 ? answer(STATUS.invalidCheckValue, Buffer.alloc(0)) : undefined;
    }
    const role = exchange.role & 0x0f;
    const privilegeMax = Math.min(role === 0 ? 4 : role, LEVEL_OF[account.privilege]);
    deps.established({
      ...{ id: opening.id, consoleSession, keys: sessionKeys(exchange), slot: account.slot },
      ...{ privilegeMax, privilege: Math.min(2, privilegeMax) },
      ...{ window: createSequenceWindow(AHEAD_MAX), sequence: 0, lastUsedMs: clock.monotonicMs() },
    });
    opening.last = answer(STATUS.ok, rakp4Code(exchange));
    return opening.last;
  };

  return { open, rakp1, rakp3 };
};

export const nextOf = (session: ManagedSession): number => {
  session.sequence = nextSequence(session.sequence);
  return session.sequence;
};
