/** Opens a session: suites best first, each handshake from its start when something was lost. */
import type { Clock } from '../../../../runtime/clock.ts';
import type { Random } from '../../../../runtime/random.ts';
import { type BmcCredentials, BmcError, type BmcFault } from '../../../bmc-port.ts';
import type { CipherSuite } from '../wire/cipher-suite.ts';
import { decodePacket, encodeRmcpPlus } from '../wire/packet.ts';
import { decodeRmcp, encodeRmcp } from '../wire/rmcp.ts';
import { ask } from './ask.ts';
import type { Datagrams } from './datagrams.ts';
import {
  createHandshake,
  type Established,
  type Handshake,
  type HandshakeRefusal,
  type HandshakeStep,
  type Outgoing,
} from './handshake.ts';

export type SignInDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly datagrams: Datagrams;
  readonly provider: string;
  readonly credentials: BmcCredentials;
  readonly signal: AbortSignal;
};

export type SignedIn = Established & { readonly suite: CipherSuite; readonly privilege: number };

/** Numbers of privilege levels on the wire (IPMI 2.0 §6.8). */
export const PRIVILEGE = { user: 2, operator: 3, administrator: 4 } as const;

/**
 * A lost datagram starts the handshake anew: a controller that hears RAKP 1 twice draws a new
 * random number, and what we then prove counts there as a wrong password.
 */
const STAGE_WAITS_MS = [1_000, 2_000, 3_000];
/** A controller that hangs on a suite it does not know does not answer the second time either. */
const SUITE_ATTEMPTS = 2;
const NAME_BYTES_MAX = 16;
const PASSWORD_BYTES_MAX = 20;

/**
 * Throws unauthorized for wrong credentials, after one try; unsupported for what cannot be said by
 * IPMI, which is no attempt and says nothing of the password.
 */
export const signIn = async (
  deps: SignInDeps,
  suites: readonly CipherSuite[],
): Promise<SignedIn> => {
  checkLengths(deps);
  let last: Attempt = { kind: 'silent', opened: false };
  for (const [index, suite] of suites.entries()) {
    const isLast = index === suites.length - 1;
    last = await withSuite(deps, suite, isLast);
    if (last.kind === 'established') return last.session;
    const isOther = last.kind === 'silent' ? !last.opened : last.why === 'suite';
    if (!isOther) break;
  }
  throw signInError(deps.provider, last);
};

type Attempt =
  | { readonly kind: 'established'; readonly session: SignedIn }
  | { readonly kind: 'refused'; readonly why: HandshakeRefusal; readonly text: string }
  /** `opened`: it had agreed to the algorithms. */
  | { readonly kind: 'silent'; readonly opened: boolean };

/** As high as the user may go: a role is refused before anything of the password is proven. */
const withSuite = async (
  deps: SignInDeps,
  suite: CipherSuite,
  isLast: boolean,
): Promise<Attempt> => {
  let last: Attempt = { kind: 'silent', opened: false };
  for (const privilege of [PRIVILEGE.administrator, PRIVILEGE.operator, PRIVILEGE.user]) {
    last = await atLevel(deps, { suite, privilege, isLast });
    if (last.kind !== 'refused' || last.why !== 'privilege') return last;
  }
  return last;
};

type Level = {
  readonly suite: CipherSuite;
  readonly privilege: number;
  /** There is no other suite to try. */
  readonly isLast: boolean;
};

const atLevel = async (deps: SignInDeps, level: Level): Promise<Attempt> => {
  let last: Attempt = { kind: 'silent', opened: false };
  for (const [attempt, waitMs] of STAGE_WAITS_MS.entries()) {
    const isGivenUp = !level.isLast && attempt >= SUITE_ATTEMPTS;
    if (isGivenUp && last.kind === 'silent' && !last.opened) return last;
    last = await runHandshake(deps, { ...level, waitMs });
    if (last.kind !== 'silent') return last;
  }
  return last;
};

type Run = Pick<Level, 'suite' | 'privilege'> & { readonly waitMs: number };

const runHandshake = async (deps: SignInDeps, run: Run): Promise<Attempt> => {
  const { suite, privilege } = run;
  const handshake = createHandshake({
    ...{ suite, privilege, credentials: deps.credentials },
    // Any number but 0, which means "no session".
    consoleSession: deps.random.bytes(4).readUInt32LE() || 1,
    consoleRandom: deps.random.bytes(16),
  });
  let next = handshake.first;
  for (let stage = 0; ; stage += 1) {
    const step = await exchange(deps, handshake, { next, waitMs: run.waitMs });
    switch (step?.kind) {
      case 'send':
        next = step.next;
        break;
      case 'established':
        return { kind: 'established', session: { ...step.session, suite, privilege } };
      case 'refused':
        if (step.farewell !== undefined) deps.datagrams.send(datagramOf(step.farewell));
        return step;
      default:
        return { kind: 'silent', opened: stage > 0 };
    }
  }
};

type Said = { readonly next: Outgoing; readonly waitMs: number };

const exchange = (
  { clock, datagrams, signal }: SignInDeps,
  handshake: Handshake,
  { next, waitMs }: Said,
): Promise<HandshakeStep | undefined> =>
  ask({
    ...{ clock, datagrams, signal, waitsMs: [waitMs] },
    send: () => datagramOf(next),
    accept: (bytes) => {
      const rmcp = decodeRmcp(bytes);
      const packet = rmcp?.kind === 'ipmi' ? decodePacket(rmcp.body) : undefined;
      if (packet?.kind !== 'rmcp+' || packet.sessionId !== 0) return undefined;
      const step = handshake.take(packet.payloadType, packet.payload);
      return step.kind === 'ignored' ? undefined : step;
    },
  });

const datagramOf = ({ payloadType, payload }: Outgoing): Buffer => {
  const header = { payloadType, sessionId: 0, sequence: 0, sealed: false };
  return encodeRmcp('ipmi', encodeRmcpPlus(header, payload));
};

const checkLengths = ({ provider, credentials }: SignInDeps): void => {
  const limits = [
    { field: 'user', text: credentials.user, bytesMax: NAME_BYTES_MAX },
    { field: 'password', text: credentials.password, bytesMax: PASSWORD_BYTES_MAX },
  ];
  for (const { field, text, bytesMax } of limits) {
    if (Buffer.byteLength(text) <= bytesMax) continue;
    throw new BmcError(
      'unsupported',
      `The ${field} for provider "${provider}" is longer than the ${bytesMax} bytes of IPMI 2.0`,
    );
  }
};

const FAULTS: Readonly<Record<HandshakeRefusal, BmcFault>> = {
  suite: 'unsupported',
  privilege: 'unauthorized',
  credentials: 'unauthorized',
  busy: 'busy',
  protocol: 'protocol',
};

const signInError = (provider: string, last: Attempt): BmcError => {
  if (last.kind !== 'refused') {
    return new BmcError('timeout', `Controller of provider "${provider}" did not open a session`);
  }
  const message = `Controller of provider "${provider}" opened no session: ${last.text}`;
  return new BmcError(FAULTS[last.why], message, [last.text]);
};
