/** What was acknowledged is there, once, and nothing else is. */
import type { Evidence, Violation } from './evidence.ts';
import { type Call, callsOf, grantedOf, type ShownClaim } from './history.ts';
import type { Stored, StoredClaim } from './stored.ts';

export const lostClaims = ({ calls, stored }: Evidence): readonly Violation[] => {
  const byUid = claimsByUid(stored);
  const created = grantedOf(calls, 'create');
  const gone = created.flatMap(({ outcome, requestId }) => {
    const difference =
      outcome.claim === undefined
        ? 'was acknowledged without a claim'
        : differenceOf(outcome.claim, byUid.get(outcome.claim.uid));
    return difference === undefined ? [] : [`the claim of request ${requestId} ${difference}`];
  });
  return [...gone, ...forgotten(calls)].map((message) => ({ rule: 'claim-lost', message }));
};

/** How the stored claim differs from the acknowledged one; undefined = it does not. */
const differenceOf = (shown: ShownClaim, stored: StoredClaim | undefined): string | undefined => {
  if (stored === undefined) return `${shown.uid} is not in the store`;
  const there = spell(
    stored.holds.flatMap(({ providerUid, amounts }) =>
      [...amounts].map(([resourceType, amount]) => ({ providerUid, resourceType, amount })),
    ),
  );
  const promised = spell(shown.allocations);
  return there === promised || stored.wasMoved
    ? undefined
    : `${shown.uid} was promised ${promised}, the store has ${there}`;
};

const spell = (allocations: ShownClaim['allocations']): string => {
  const sums = new Map<string, number>();
  for (const { providerUid, resourceType, amount } of allocations) {
    const key = `${resourceType} of ${providerUid}`;
    sums.set(key, (sums.get(key) ?? 0) + amount);
  }
  return [...sums]
    .map(([key, amount]) => `${amount} ${key}`)
    .sort()
    .join(', ');
};

/**
 * Whoever is asked for a claim that was acknowledged before knows it: a read names the revision
 * that it must have seen.
 */
const forgotten = (calls: readonly Call[]): readonly string[] => {
  const knownFromMs = new Map<string, number>();
  for (const { outcome, endedMs } of grantedOf(calls, 'create')) {
    if (outcome.claim !== undefined) knownFromMs.set(outcome.claim.uid, endedMs);
  }
  return calls.flatMap(({ request, outcome, beganMs, requestId }) => {
    if (!('claimUid' in request) || outcome.kind !== 'refused') return [];
    const isKnown = (knownFromMs.get(request.claimUid) ?? Infinity) <= beganMs;
    const isMissed = outcome.reason === 'NOT_FOUND' && outcome.about === 'runm.claim';
    if (!isKnown || !isMissed) return [];
    return [
      `request ${requestId} (${request.verb}) was told that ${request.claimUid} is not there`,
    ];
  });
};

export const lostReleases = ({ calls, stored }: Evidence): readonly Violation[] => {
  const byUid = claimsByUid(stored);
  const begun = grantedOf(calls, 'begin-release').flatMap(({ request, requestId }) => {
    const claim = byUid.get(request.claimUid);
    if (claim === undefined || claim.releaseBeginMs !== undefined) return [];
    return [`release ${requestId} of claim ${claim.uid} is undone`];
  });
  const finished = grantedOf(calls, 'finish-release').flatMap(({ request, requestId }) => {
    const claim = byUid.get(request.claimUid);
    const hold = claim?.holds.find(({ providerUid }) => providerUid === request.providerUid);
    if (hold === undefined || hold.finishMs !== undefined) return [];
    return [`the return ${requestId} of ${hold.providerUid} by claim ${claim?.uid} is undone`];
  });
  return [...begun, ...finished].map((message) => ({ rule: 'release-lost', message }));
};

/** The end that was acknowledged last is the one that counts, where nobody moved it meanwhile. */
export const lostEnds = ({ calls, stored }: Evidence): readonly Violation[] => {
  const byUid = claimsByUid(stored);
  const moves = callsOf(calls, 'move-end');
  return grantedOf(calls, 'move-end').flatMap(({ request, requestId, beganMs }) => {
    const { claimUid, releaseMs } = request;
    const claim = byUid.get(claimUid);
    const isLast = moves.every(
      (other) =>
        other.requestId === requestId ||
        other.request.claimUid !== claimUid ||
        other.endedMs <= beganMs,
    );
    if (!isLast || claim === undefined || claim.releaseMs === releaseMs) return [];
    const message = `claim ${claimUid} ends at ${claim.releaseMs}, not at ${releaseMs}`;
    return [{ rule: 'end-lost', message }];
  });
};

export const appliedTwice = ({ calls, stored }: Evidence): readonly Violation[] => {
  const uids = new Map<string, Set<string>>();
  const note = (requestId: string, uid: string): void => {
    uids.set(requestId, (uids.get(requestId) ?? new Set()).add(uid));
  };
  for (const { requestId, outcome } of grantedOf(calls, 'create')) {
    if (outcome.claim !== undefined) note(requestId, outcome.claim.uid);
  }
  const names = new Map<string, string>();
  const held: string[] = [];
  for (const claim of stored.claims) {
    const creation = creationOf(claim);
    if (creation !== undefined) note(creation.requestId, claim.uid);
    if (isEnded(claim)) continue;
    const name = `${claim.project}/${claim.claimId}`.toLowerCase();
    const other = names.get(name);
    if (other !== undefined) held.push(`${other} and ${claim.uid} are both called ${name}`);
    names.set(name, claim.uid);
  }
  const twice = [...uids]
    .filter(([, those]) => those.size > 1)
    .map(([requestId, those]) => `request ${requestId} made ${[...those].sort().join(' and ')}`);
  return [...twice, ...held].map((message) => ({ rule: 'applied-twice', message }));
};

export const nobodyAsked = ({ calls, stored }: Evidence): readonly Violation[] => {
  const asked = new Map(callsOf(calls, 'create').map((call) => [call.requestId, call]));
  return stored.claims.flatMap((claim) => {
    const creation = creationOf(claim);
    if (creation === undefined) return [];
    const call = asked.get(creation.requestId);
    const isRefused = call?.outcome.kind === 'refused' && !call.outcome.mayLinger;
    if (call !== undefined && !isRefused) return [];
    const why = isRefused ? 'was refused' : 'was made by nobody';
    const message = `claim ${claim.uid} is there, but request ${creation.requestId} ${why}`;
    return [{ rule: 'nobody-asked', message }];
  });
};

/** The head names the newest commit, so no record can be newer. */
export const headBehind = ({ stored }: Evidence): readonly Violation[] => {
  const { head, claims } = stored;
  return claims.flatMap(({ uid, logNumber, updateMs }) => {
    if (head !== undefined && logNumber <= head.number && updateMs <= head.atMs) return [];
    const newest = head?.number;
    const message = `claim ${uid} was changed in commit ${logNumber}, the head is at ${newest}`;
    return [{ rule: 'head-behind', message }];
  });
};

/** When all is quiet every replica shows what the store holds. */
export const differentLists = ({ stored, listed = [] }: Evidence): readonly Violation[] => {
  const there = new Map(stored.claims.map((claim) => [claim.uid, claim]));
  return listed.flatMap(({ replica, claims }): Violation[] => {
    const shown = new Set(claims.map(({ uid }) => uid));
    const missing = [...there.keys()].filter((uid) => !shown.has(uid));
    const wrong = claims.filter(({ uid, isReleasing }) => {
      const claim = there.get(uid);
      return claim === undefined || isReleasing !== (claim.releaseBeginMs !== undefined);
    });
    if (missing.length === 0 && wrong.length === 0) return [];
    const uids = wrong.map(({ uid }) => uid).join(', ');
    const message = `${replica} does not show ${missing.join(', ')} and shows otherwise: ${uids}`;
    return [{ rule: 'list-differs', message }];
  });
};

/** The request that made it, while the record still remembers it. */
const creationOf = ({ requests }: StoredClaim) =>
  requests.find(({ verb }) => verb === 'create' || verb === 'execute' || verb === 'batch-create');

const isEnded = ({ releaseBeginMs, holds }: StoredClaim): boolean =>
  releaseBeginMs !== undefined && holds.every(({ finishMs }) => finishMs !== undefined);

const claimsByUid = ({ claims }: Stored) => new Map(claims.map((claim) => [claim.uid, claim]));
