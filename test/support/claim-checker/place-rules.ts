/** Where claims were placed, and what they cost. */
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

/** What quotas show as used is what the claims hold whose release has not begun. */
export const inexactQuota = ({ stored, quotas = [] }: Evidence): readonly Violation[] => {
  const nowMs = stored.head?.atMs ?? 0;
  const used = new Map<string, number>();
  for (const { project, holds, releaseBeginMs, acquireMs, releaseMs } of stored.claims) {
    if (releaseBeginMs !== undefined || acquireMs > nowMs || releaseMs <= nowMs) continue;
    for (const [resourceType, amount] of holds.flatMap(({ amounts }) => [...amounts])) {
      const key = `${resourceType} of project ${project}`.toLowerCase();
      used.set(key, (used.get(key) ?? 0) + amount);
    }
  }
  return quotas.flatMap((quota) => {
    const key = `${quota.resourceType} of project ${quota.project}`.toLowerCase();
    const sum = used.get(key) ?? 0;
    if (sum === quota.used) return [];
    const message = `the quota shows ${quota.used} ${key} as used, the claims hold ${sum}`;
    return [{ rule: 'quota-inexact', message }];
  });
};
