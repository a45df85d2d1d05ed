/**
 * A claim as the leader decides it and as coordination keeps it. Allocations are not stored one by
 * one: a placement says which provider answers a group at an index, the amounts stand in the
 * group's request. That keeps a claim of a thousand machines at a few kilobytes.
 */

/** The resource type that stands for a provider as a whole. */
export const WHOLE = 'runm.machine.whole';

export type ResourceRequest = { readonly resourceType: string; readonly amount: number };

/** Empty lists constrain nothing; the three are combined with AND. */
export type SetConstraint = {
  readonly require: readonly string[];
  readonly forbid: readonly string[];
  readonly any: readonly string[];
};

export type RequestGroup = {
  readonly name: string;
  readonly resources: readonly ResourceRequest[];
  readonly capabilities: SetConstraint;
  readonly providerGroups: SetConstraint;
  readonly tags: SetConstraint;
  /** Uids, lower case; empty = any. */
  readonly providers: readonly string[];
  /**
   * Groups of this claim that must be on other providers; its own name = each index on another one.
   */
  readonly isolateFrom: readonly string[];
};

export type Ranking = 'pack' | 'spread' | 'random';

export type Consumer = { readonly type: string; readonly uid: string; readonly name: string };

export type ClaimSpec = {
  readonly consumer: Consumer | undefined;
  readonly acquireMs: number;
  /** undefined = for ever. */
  readonly releaseMs: number | undefined;
  readonly groups: readonly RequestGroup[];
  readonly count: number;
  readonly ranking: Ranking;
};

/** Which provider answers a group at an index; numbers point into `spec.groups` and `providers`. */
export type Placement = {
  readonly group: number;
  readonly index: number;
  readonly provider: number;
};

export type HeldProvider = {
  readonly uid: string;
  /** When it was placed, for people. */
  readonly name: string;
  /** undefined = it is held. */
  readonly finishMs: number | undefined;
};

/** A typed property. Numbers are texts, because JSON has neither 64 bits nor infinities. */
export type Property =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'integer'; readonly value: string }
  | { readonly kind: 'number'; readonly value: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'strings'; readonly value: readonly string[] };

/** A request that changed the record, by which a retry is known again. */
export type RequestNote = {
  readonly requestId: string;
  /** Hexadecimal. */
  readonly argumentHash: string;
  readonly verb: string;
  /** Who asked; all services of ours are one caller. */
  readonly caller: string;
  readonly atMs: number;
};

/** A record remembers so many requests; an older retry finds the name taken or nothing to do. */
export const REQUEST_NOTES_MAX = 8;

export type ClaimRecord = {
  readonly uid: string;
  readonly partition: string;
  readonly project: string;
  /** Last segment of its name as it was given. */
  readonly claimId: string;
  /** Grows with every change; what the etag is made of. */
  readonly version: number;
  readonly generation: number;
  readonly createMs: number;
  readonly updateMs: number;
  readonly properties: Readonly<Record<string, Property>>;
  readonly tags: readonly string[];
  readonly spec: ClaimSpec;
  readonly providers: readonly HeldProvider[];
  readonly placements: readonly Placement[];
  /** undefined = its release has not begun. */
  readonly releaseBeginMs: number | undefined;
  /** Number of the log entry of its last change. */
  readonly logNumber: number;
  readonly requests: readonly RequestNote[];
};

export type Allocation = {
  readonly group: string;
  readonly index: number;
  readonly providerUid: string;
  readonly provider: string;
  readonly resourceType: string;
  readonly amount: number;
  readonly finishMs: number | undefined;
};

/** Ids compare without regard to case. */
export const keyOf = (id: string): string => id.toLowerCase();

export const claimName = (claim: Pick<ClaimRecord, 'partition' | 'project' | 'claimId'>): string =>
  `partitions/${claim.partition}/projects/${claim.project}/claims/${claim.claimId}`;

/** One per group, index, provider and resource type. */
export const allocationsOf = (claim: ClaimRecord): readonly Allocation[] =>
  claim.placements.flatMap((placement) => {
    const group = claim.spec.groups[placement.group];
    const provider = claim.providers[placement.provider];
    if (group === undefined || provider === undefined) return [];
    return group.resources.map(({ resourceType, amount }) => ({
      group: group.name,
      index: placement.index,
      providerUid: provider.uid,
      provider: provider.name,
      resourceType,
      amount,
      finishMs: provider.finishMs,
    }));
  });

/** True when every provider was given back. */
export const isEnded = (claim: ClaimRecord): boolean =>
  claim.releaseBeginMs !== undefined &&
  claim.providers.every(({ finishMs }) => finishMs !== undefined);

/** When the last provider was given back; undefined while one is held. */
export const endMs = (claim: ClaimRecord): number | undefined =>
  isEnded(claim)
    ? Math.max(claim.releaseBeginMs ?? 0, ...claim.providers.map(({ finishMs }) => finishMs ?? 0))
    : undefined;

/** True when its release has begun, or its window is over and the leader has yet to write that. */
export const isReleasing = (claim: ClaimRecord, nowMs: number): boolean =>
  claim.releaseBeginMs !== undefined || (claim.spec.releaseMs ?? Infinity) <= nowMs;

/** The record with one more request noted, the oldest forgotten. */
export const withNote = (
  notes: readonly RequestNote[],
  note: RequestNote | undefined,
): readonly RequestNote[] =>
  note === undefined ? notes : [...notes, note].slice(-REQUEST_NOTES_MAX);
