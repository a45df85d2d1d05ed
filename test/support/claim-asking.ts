/**
 * How a careful program asks: with a request id, at any replica, again and again until it knows;
 * what it learned goes into the history.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Transport } from '@connectrpc/connect';
import { type Claim, ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { RequestGroupSchema } from '../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import type { Clock } from '../../services/runtime/clock.ts';
import type { DomainError } from '../../services/runtime/errors.ts';
import type { Random } from '../../services/runtime/random.ts';
import { domainErrorOf } from '../../services/runtime/rpc/error-reading.ts';
import type { CallOutcome, CallRequest, History, ShownClaim } from './claim-checker/history.ts';

export type CallerOptions = {
  readonly name: string;
  /** Ways to the replicas; each attempt takes any of them. */
  readonly ways: () => readonly Transport[];
  readonly history: History;
  readonly clock: Clock;
  readonly random: Random;
  /** One attempt is given up after up to this long. */
  readonly attemptMs: number;
  /** The request is given up after this long. */
  readonly patienceMs: number;
  /** True when the way itself may leave a request behind that was answered. */
  readonly mayLinger?: (requestId: string) => boolean;
};

export type Wish = {
  readonly project: string;
  readonly claimId: string;
  readonly groups: readonly MessageInitShape<typeof RequestGroupSchema>[];
  readonly count?: number;
  readonly acquireMs?: number;
  readonly releaseMs?: number;
};

export const PARTITION = 'partitions/lab';

export const specOf = ({
  groups,
  count,
  acquireMs,
  releaseMs,
}: Omit<Wish, 'project' | 'claimId'>) => ({
  groups: [...groups],
  ...(count !== undefined && { count }),
  ...(acquireMs !== undefined && { acquireTime: timestampFromMs(acquireMs) }),
  ...(releaseMs !== undefined && { releaseTime: timestampFromMs(releaseMs) }),
});

export type Shown = { readonly claim?: Claim | undefined };

export type Send<Answer> = (
  way: Transport,
  requestId: string,
  call: { readonly signal: AbortSignal },
) => Promise<Answer>;

/** Asks until it knows; undefined = it was refused, or gave up. */
export const ask = async <Answer extends Shown>(
  options: CallerOptions,
  request: CallRequest,
  send: Send<Answer>,
): Promise<Answer | undefined> => {
  const { clock, random, history } = options;
  const requestId = random.requestId();
  const beganMs = clock.monotonicMs();
  const note = (outcome: CallOutcome): void => {
    const endedMs = outcome.kind === 'unknown' ? Infinity : clock.monotonicMs();
    history.add({ client: options.name, requestId, request, beganMs, endedMs, outcome });
  };
  let isOpen = false;
  while (clock.monotonicMs() - beganMs < options.patienceMs) {
    const answer = await attempt(options, (way, call) => send(way, requestId, call));
    if (answer.kind === 'answer') {
      note({ kind: 'granted', claim: shownOf(answer.value.claim) });
      return answer.value;
    }
    const { error } = answer;
    if (!mayBeRepeated(error)) {
      const mayLinger = isOpen || options.mayLinger?.(requestId) === true;
      const about = error.metadata.type ?? '';
      note({ kind: 'refused', reason: error.reason, about, mayLinger });
      return undefined;
    }
    isOpen ||= !NOTHING_DONE.has(error.reason);
    await clock.sleep(pauseMs(options, error.extras.retryAfterMs));
  }
  note({ kind: 'unknown' });
  return undefined;
};

export const mayBeRepeated = ({ kind }: DomainError): boolean =>
  kind === 'unavailable' || kind === 'deadline_exceeded' || kind === 'cancelled';

export const pauseMs = ({ random }: CallerOptions, hintMs = 200): number =>
  20 + random.fraction() * Math.min(200, hintMs);

/** Said by a replica that neither decided nor passed the request on. */
const NOTHING_DONE: ReadonlySet<string> = new Set(['NOT_LEADER', 'DRAINING']);

type Attempted<Answer> =
  | { readonly kind: 'answer'; readonly value: Answer }
  | { readonly kind: 'error'; readonly error: DomainError };

export const attempt = async <Answer>(
  { ways, clock, random, attemptMs }: CallerOptions,
  send: (way: Transport, call: { readonly signal: AbortSignal }) => Promise<Answer>,
): Promise<Attempted<Answer>> => {
  const all = ways();
  const way = all[Math.floor(random.fraction() * all.length)];
  if (way === undefined) throw new Error('A caller needs a way to a replica');
  const limit = new AbortController();
  const done = new AbortController();
  clock.sleep(attemptMs * (0.3 + 0.7 * random.fraction()), done.signal).then(
    () => limit.abort(new Error('The attempt took too long')),
    () => undefined,
  );
  try {
    return { kind: 'answer', value: await send(way, { signal: limit.signal }) };
  } catch (thrown) {
    const error = domainErrorOf(thrown);
    if (error === undefined) throw thrown;
    return { kind: 'error', error };
  } finally {
    done.abort();
  }
};

export const shownOf = (claim: Claim | undefined): ShownClaim | undefined =>
  claim && {
    uid: claim.uid,
    isActive: claim.status?.state === ClaimState.ACTIVE,
    allocations: (claim.status?.allocations ?? []).map(({ providerUid, resourceType, amount }) => ({
      providerUid,
      resourceType,
      amount: Number(amount),
    })),
  };
