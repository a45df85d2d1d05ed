/**
 * The network between simulated processes: messages are late, overtake each other, come twice or
 * get lost, and so do answers. Whoever waits learns no more than that nothing came.
 */
import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import { abortable } from '../../../services/store/coordination/waiting.ts';
import type { Gate } from './gate.ts';

export type Network = {
  /** The way to a process as another process, or a client, has it. */
  readonly to: (receiver: Receiver) => Transport;
  /** True when a copy of the request was left on the way: it may arrive after its answer. */
  readonly mayLinger: (requestId: string) => boolean;
};

export type Receiver = {
  /** Asked at each call: a process that was started again is another one. */
  readonly transport: () => Transport;
  readonly gate: () => Gate;
};

type Fate = 'delivered' | 'request-lost' | 'answer-lost' | 'late' | 'doubled';

export type NetworkDeps = {
  readonly clock: Clock;
  readonly random: Random;
  /** True from when on nothing gets lost any more. */
  readonly isCalm: () => boolean;
};

const LATENCY_MS = 60;
const LATE_MS = 4_000;
const SILENCE_MS = 800;

/** One message: asks a process, whichever stands at the address by then. */
type Message<Answer> = {
  readonly receiver: Receiver;
  readonly requestId: string | undefined;
  readonly ask: (transport: Transport, signal: AbortSignal) => Promise<Answer>;
};

export const createNetwork = (deps: NetworkDeps): Network => {
  const { clock } = deps;
  const lingering = new Set<string>();
  const send = <T>(message: Message<T>, signal: AbortSignal | undefined): Promise<T> => {
    const fate = fateOf(deps);
    const { requestId } = message;
    if (fate !== 'delivered' && requestId !== undefined) lingering.add(requestId);
    const later = (): void => {
      clock
        .sleep(upTo(deps, LATE_MS))
        .then(() => deliver(deps, message, undefined))
        .catch(() => undefined);
    };
    switch (fate) {
      case 'delivered':
        return deliver(deps, message, signal);
      case 'request-lost':
        return unanswered(deps, signal);
      case 'answer-lost':
        deliver(deps, message, undefined).catch(() => undefined);
        return unanswered(deps, signal);
      case 'late':
        later();
        return unanswered(deps, signal);
      case 'doubled':
        later();
        return deliver(deps, message, signal);
    }
  };
  return {
    mayLinger: (requestId) => lingering.has(requestId),
    to: (receiver) => ({
      unary: (method, signal, _, header, input) => {
        const requestId = requestIdIn(input);
        const message = {
          receiver,
          requestId,
          ask: (transport: Transport, left: AbortSignal) =>
            transport.unary(method, left, undefined, new Headers(header), input),
        };
        return patiently(send(message, signal), signal);
      },
      stream: () => Promise.reject(new Error('The simulation has no streams between replicas')),
    }),
  };
};

const upTo = ({ random }: NetworkDeps, ms: number): number => Math.ceil(random.fraction() * ms);

const deliver = async <T>(
  deps: NetworkDeps,
  { receiver, ask }: Message<T>,
  signal: AbortSignal | undefined,
): Promise<T> => {
  const { clock } = deps;
  await clock.sleep(upTo(deps, LATENCY_MS));
  const gate = receiver.gate();
  await gate.pass();
  // That the caller went away is a message too.
  const left = new AbortController();
  const onAbort = () => void gate.pass().then(() => left.abort(signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await ask(receiver.transport(), left.signal);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await gate.pass();
    await clock.sleep(upTo(deps, LATENCY_MS));
  }
};

const unanswered = async (deps: NetworkDeps, signal: AbortSignal | undefined): Promise<never> => {
  await deps.clock.sleep(upTo(deps, SILENCE_MS), signal);
  throw new ConnectError('The connection broke', Code.Unavailable);
};

/** The caller learns of its own impatience at once, whatever becomes of the message. */
const patiently = async <T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
  if (signal === undefined) return answer;
  try {
    return await abortable(answer, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new ConnectError('The caller went away', Code.Canceled, undefined, undefined, error);
  }
};

const fateOf = ({ random, isCalm }: NetworkDeps): Fate => {
  const draw = random.fraction();
  if (isCalm() || draw > 0.16) return 'delivered';
  if (draw < 0.04) return 'request-lost';
  if (draw < 0.08) return 'answer-lost';
  return draw < 0.12 ? 'late' : 'doubled';
};

const requestIdIn = (input: unknown): string | undefined =>
  typeof input === 'object' &&
  input !== null &&
  'requestId' in input &&
  typeof input.requestId === 'string'
    ? input.requestId
    : undefined;
