/**
 * An established RMCP+ session: seals what goes out, opens what comes in, sends again what was
 * lost. One request is under way at a time; many controllers drop a second one.
 */
import type { Clock } from '../../../../runtime/clock.ts';
import type { Random } from '../../../../runtime/random.ts';
import { BmcError } from '../../../bmc-port.ts';
import {
  type AddressedResponse,
  decodeResponse,
  encodeRequest,
  type IpmiRequest,
  type IpmiResponse,
} from '../wire/message.ts';
import { decodePacket, PAYLOAD } from '../wire/packet.ts';
import { decodeRmcp, encodeRmcp } from '../wire/rmcp.ts';
import { seal, unseal } from '../wire/seal.ts';
import { ANY_AHEAD, createSequenceWindow, nextSequence } from '../wire/sequence-window.ts';
import { orAfter } from './ask.ts';
import type { Datagrams } from './datagrams.ts';
import type { SignedIn } from './sign-in.ts';

export type Asked = IpmiRequest & {
  /** It must not be done twice, so it is sent once and what was lost stays unknown. */
  readonly once?: boolean;
};

export type Session = {
  readonly signedIn: SignedIn;
  /** Throws BmcError timeout when nothing answers; the session is lost then. */
  readonly request: (asked: Asked, signal: AbortSignal) => Promise<IpmiResponse>;
  readonly sendPayload: (payloadType: number, payload: Uint8Array) => void;
  /** Payloads of that type from now on; undefined: none any more. */
  readonly listen: (payloadType: number, heard: ((payload: Buffer) => void) | undefined) => void;
  readonly lost: () => boolean;
  readonly broken: AbortSignal;
  readonly lastUsedMs: () => number;
  /** Tells the controller, waits a little for its answer. Never throws. */
  readonly close: (signal: AbortSignal) => Promise<void>;
  /** Closes the socket only. */
  readonly abandon: () => void;
};

export type SessionDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly datagrams: Datagrams;
  readonly provider: string;
};

const WAITS_MS = [1_000, 1_500, 2_000, 2_500];
const ONCE_WAITS_MS = [5_000];
const CLOSE_WAITS_MS = [500];
const NETFN_APP = 0x06;
const CLOSE_SESSION = 0x3c;
const RQ_SEQUENCES = 64;

type Pending = {
  readonly command: number;
  readonly netFn: number;
  /** Every number that it was sent under; an answer to any of them is its answer. */
  readonly sequences: Set<number>;
  readonly answered: (response: AddressedResponse) => void;
};

export const createSession = (deps: SessionDeps, signedIn: SignedIn): Session => {
  const { clock, random, datagrams } = deps;
  const { keys, managedSession } = signedIn;
  const listeners = new Map<number, (payload: Buffer) => void>();
  let sequence = 0;
  let rqSequence = 0;
  let pending: Pending | undefined;
  let lost = false;
  let lastUsedMs = clock.monotonicMs();

  const sendPayload = (payloadType: number, payload: Uint8Array): void => {
    sequence = nextSequence(sequence);
    const header = { payloadType, sessionId: managedSession, sequence };
    const packet = seal(header, payload, { keys, iv: random.bytes(16) });
    datagrams.send(encodeRmcp('ipmi', packet));
  };

  listeners.set(PAYLOAD.ipmi, (payload) => {
    const response = decodeResponse(payload);
    if (response === undefined || pending === undefined) return;
    const { netFn, command, sequences } = pending;
    if (response.netFn !== netFn || response.command !== command) return;
    if (sequences.has(response.sequence)) pending.answered(response);
  });
  datagrams.listen(opened(signedIn, (type, payload) => listeners.get(type)?.(payload)));

  const exchange = async (asked: Asked, waitsMs: readonly number[], signal: AbortSignal) => {
    const answer = Promise.withResolvers<AddressedResponse>();
    const sequences = new Set<number>();
    const mine: Pending = { ...asked, sequences, answered: answer.resolve };
    pending = mine;
    try {
      for (const waitMs of waitsMs) {
        signal.throwIfAborted();
        datagrams.broken.throwIfAborted();
        // A number of its own for each try, or the controller takes it for one it has answered.
        rqSequence = (rqSequence + 1) % RQ_SEQUENCES;
        sequences.add(rqSequence);
        sendPayload(PAYLOAD.ipmi, encodeRequest(asked, rqSequence));
        const signals = [signal, datagrams.broken];
        const response = await orAfter(clock, answer.promise, waitMs, signals);
        lastUsedMs = clock.monotonicMs();
        if (response !== undefined) return response;
      }
      return undefined;
    } finally {
      // One that was aborted may end after the next one has begun.
      if (pending === mine) pending = undefined;
    }
  };

  return {
    signedIn,
    request: async (asked, signal) => {
      const waitsMs = asked.once === true ? ONCE_WAITS_MS : WAITS_MS;
      const response = await exchange(asked, waitsMs, signal);
      if (response !== undefined) return response;
      lost = true;
      throw new BmcError('timeout', `Controller of provider "${deps.provider}" does not answer`);
    },
    sendPayload: (payloadType, payload) => {
      lastUsedMs = clock.monotonicMs();
      sendPayload(payloadType, payload);
    },
    listen: (payloadType, heard) => {
      if (heard === undefined) listeners.delete(payloadType);
      else listeners.set(payloadType, heard);
    },
    lost: () => lost || datagrams.broken.aborted,
    broken: datagrams.broken,
    lastUsedMs: () => lastUsedMs,
    close: async (signal) => {
      const data = Buffer.alloc(4);
      data.writeUInt32LE(managedSession);
      const asked = { netFn: NETFN_APP, command: CLOSE_SESSION, data };
      try {
        if (!lost) await exchange(asked, CLOSE_WAITS_MS, signal);
      } catch {
        // It ends by itself after a minute without us.
      } finally {
        datagrams.close();
      }
    },
    abandon: () => datagrams.close(),
  };
};

/** What belongs to the session, authenticates and is new; everything else is dropped unread. */
const opened = (
  { keys, consoleSession }: SignedIn,
  heard: (payloadType: number, payload: Buffer) => void,
): ((bytes: Buffer) => void) => {
  const window = createSequenceWindow(ANY_AHEAD);
  return (bytes) => {
    const rmcp = decodeRmcp(bytes);
    const packet = rmcp?.kind === 'ipmi' ? decodePacket(rmcp.body) : undefined;
    if (packet?.kind !== 'rmcp+' || packet.sessionId !== consoleSession) return;
    const payload = unseal(packet, keys);
    if (payload === undefined || !window.take(packet.sequence)) return;
    heard(packet.payloadType, payload);
  };
};
