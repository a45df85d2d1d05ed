import { createClient } from '@connectrpc/connect';
import type { Claim } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type BatchClaimResult,
  ClaimService,
} from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import {
  attempt,
  type CallerOptions,
  mayBeRepeated,
  PARTITION,
  pauseMs,
  shownOf,
  specOf,
  type Wish,
} from './claim-asking.ts';
import type { CallOutcome } from './claim-checker/history.ts';

/**
 * Creates claims of one project together, until the outcome of each is known; gives those that were
 * made. In the history each is a call of its own.
 */
export const createBatch = async (
  options: CallerOptions,
  wishes: readonly Wish[],
): Promise<readonly Claim[]> => {
  const { clock, random } = options;
  const requestId = random.requestId();
  const project = wishes[0]?.project ?? '';
  const request = {
    parent: `${PARTITION}/projects/${project}`,
    requestId,
    claims: wishes.map(({ claimId, ...wish }) => ({ claimId, claim: { spec: specOf(wish) } })),
  };
  const beganMs = clock.monotonicMs();
  const note = (outcomeOf: (at: number) => CallOutcome): void =>
    noteAll(options, { wishes, requestId, beganMs, outcomeOf });
  let isOpen = false;
  while (clock.monotonicMs() - beganMs < options.patienceMs) {
    const answer = await attempt(options, (way, call) =>
      createClient(ClaimService, way).batchCreateClaims(request, call),
    );
    if (answer.kind === 'error' && !mayBeRepeated(answer.error)) throw answer.error;
    if (answer.kind === 'answer' && answer.value.results.every(isKnown)) {
      const { results } = answer.value;
      const mayLinger = isOpen || options.mayLinger?.(requestId) === true;
      note((at) => outcomeOf(results[at], mayLinger));
      return results.flatMap(({ result }) => (result.case === 'claim' ? [result.value] : []));
    }
    isOpen = true;
    await clock.sleep(pauseMs(options));
  }
  note(() => ({ kind: 'unknown' }));
  return [];
};

/** CANCELLED, DEADLINE_EXCEEDED and UNAVAILABLE say nothing. */
const UNKNOWN: ReadonlySet<number> = new Set([1, 4, 14]);

const isKnown = ({ result }: BatchClaimResult): boolean =>
  result.case !== 'error' || !UNKNOWN.has(result.value.code);

const outcomeOf = (one: BatchClaimResult | undefined, mayLinger: boolean): CallOutcome => {
  if (one?.result.case === 'claim') return { kind: 'granted', claim: shownOf(one.result.value) };
  const reason = one?.result.case === 'error' ? `CODE_${one.result.value.code}` : 'MISSING';
  return { kind: 'refused', reason, about: '', mayLinger };
};

type Noted = {
  readonly wishes: readonly Wish[];
  readonly requestId: string;
  readonly beganMs: number;
  readonly outcomeOf: (at: number) => CallOutcome;
};

const noteAll = (
  { name: client, clock, history }: CallerOptions,
  { wishes, requestId, beganMs, outcomeOf }: Noted,
): void => {
  for (const [at, { project, claimId }] of wishes.entries()) {
    const outcome = outcomeOf(at);
    history.add({
      client,
      // As the claim remembers it.
      requestId: `${requestId}/${at}`,
      request: { verb: 'create', project, claimId },
      beganMs,
      endedMs: outcome.kind === 'unknown' ? Infinity : clock.monotonicMs(),
      outcome,
    });
  }
};
