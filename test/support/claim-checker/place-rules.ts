/** Where claims were placed. */
import type { Evidence, Violation } from './evidence.ts';
import { callsOf, grantedOf } from './history.ts';

/** No claim on a provider that was closed from before the request until after its answer. */
export const onClosedProvider = ({ calls }: Evidence): readonly Violation[] => {
  const changes = callsOf(calls, 'set-capacity');
  return grantedOf(calls, 'create').flatMap(({ outcome, requestId, beganMs, endedMs }) => {
    const uids = new Set(outcome.claim?.allocations.map(({ providerUid }) => providerUid));
    return [...uids].flatMap((uid) => {
      const its = changes.filter(({ request }) => request.providerUid === uid);
      const openings = its.filter(({ request }) => !request.closed);
      const closings = its.filter(
        (call) => call.request.closed && call.outcome.kind === 'granted' && call.endedMs <= beganMs,
      );
      // Nothing is open that was never opened.
      const closedFromMs = Math.max(-Infinity, ...closings.map((call) => call.beganMs));
      const mayBeOpen = openings.some(
        (call) =>
          mayHaveHappened(call.outcome) && call.beganMs < endedMs && mayEnd(call) > closedFromMs,
      );
      if (mayBeOpen) return [];
      const message = `request ${requestId} was given ${uid}, which was closed all the time`;
      return [{ rule: 'closed-provider', message }];
    });
  });
};

type Outcome = Evidence['calls'][number]['outcome'];

const mayHaveHappened = (outcome: Outcome): boolean =>
  outcome.kind !== 'refused' || outcome.mayLinger;

/** When the last copy of the request may have had its effect. */
const mayEnd = ({ outcome, endedMs }: Evidence['calls'][number]): number =>
  outcome.kind === 'granted' ? endedMs : Infinity;
