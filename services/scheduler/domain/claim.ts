/**
 * A claim as the leader decides it and as coordination keeps it. Allocations are not stored one by
 * one: a placement says which provider answers a group at an index, the amounts stand in the
 * group's request. That keeps a claim of a thousand machines at a few kilobytes.
 */

import type { GroupKind } from './topology.ts';

/** The resource type that stands for a provider as a whole. */
export const WHOLE = 'runm.machine.whole';

export type ResourceRequest = {
  readonly resourceType: string;
  /** The most that is wanted; it is what is given unless `minAmount` says that less will do. */
  readonly amount: number;
  readonly minAmount?: number;
  /** Of the provider of just this resource; one of the blocks must hold. Absent = any. */
  readonly capabilities?: readonly SetConstraint[];
};

/** Empty lists constrain nothing; the three are combined with AND. */
export type SetConstraint = {
  readonly require: readonly string[];
  readonly forbid: readonly string[];
  readonly any: readonly string[];
};

/** A property that is wanted with a value; a text is also met by a list that holds it. */
export type PropertyItem = { readonly key: string; readonly value: Property };

/** Empty lists constrain nothing; all are combined with AND. */
export type PropertyConstraint = {
  readonly requireItems: readonly PropertyItem[];
  readonly forbidItems: readonly PropertyItem[];
  readonly anyItems: readonly PropertyItem[];
  readonly requireKeys: readonly string[];
  readonly forbidKeys: readonly string[];
  readonly anyKeys: readonly string[];
};

export type DistanceFrom =
  | { readonly kind: 'provider-group'; readonly id: string }
  | { readonly kind: 'provider'; readonly uid: string }
  | { readonly kind: 'request-group'; readonly name: string }
  | { readonly kind: 'consumer'; readonly uid: string };

/** Steps are codes of the distance type; absent = no limit on that side. */
export type DistanceConstraint = {
  readonly type: string;
  readonly from: DistanceFrom;
  readonly minimum?: string;
  readonly maximum?: string;
};

/**
 * Resources wanted together. With `multipleProviders` the constraints hold for the chosen providers
 * together: required = collectively, forbidden = none, any = at least one. Absent = no matter.
 */
export type RequestGroup = {
  readonly name: string;
  readonly resources: readonly ResourceRequest[];
  /** One of the blocks must hold; empty = any. */
  readonly capabilities: readonly SetConstraint[];
  /** Ids, lower case. */
  readonly providerGroups: SetConstraint;
  readonly tags: SetConstraint;
  readonly properties?: PropertyConstraint;
  readonly distances?: readonly DistanceConstraint[];
  /** Uid of the provider in whose tree it must be. */
  readonly inTree?: string;
  readonly multipleProviders?: boolean;
  /** Request groups that must be in one tree with it; its own name = its providers together. */
  readonly sameSubtree?: readonly string[];
  /** Uids of consumers or claims with which it may have no provider in common. */
  readonly isolateFromConsumers?: readonly string[];
  /** Uids, lower case; empty = any. */
  readonly providers: readonly string[];
  /**
   * Groups of this claim that must be on other providers; its own name = each index on another one.
   */
  readonly isolateFrom: readonly string[];
};

/** Whether its resources may come from several providers; one resource comes from one. */
export const isOverSeveral = ({
  multipleProviders,
  resources,
}: Pick<RequestGroup, 'multipleProviders' | 'resources'>): boolean =>
  multipleProviders === true && resources.length > 1;

export type Ranking = 'pack' | 'spread' | 'random' | 'closest';

/** At most `maxPerGroup` of the count in one group of the kind; 0 = as evenly as can be. */
export type SpreadRule = { readonly groupKind: GroupKind; readonly maxPerGroup: number };

export type Consumer = { readonly type: string; readonly uid: string; readonly name: string };

export type ClaimSpec = {
  readonly consumer: Consumer | undefined;
  readonly acquireMs: number;
  /** undefined = for ever. */
  readonly releaseMs: number | undefined;
  readonly groups: readonly RequestGroup[];
  readonly count: number;
  readonly ranking: Ranking;
  /** By which spread and closest rank. */
  readonly rankingDistanceType?: string;
  /** Id of the group to which closest is near, lower case; absent = to each other. */
  readonly nearGroup?: string;
  /** Decides between equals; absent = the request id. */
  readonly seed?: string;
  readonly spread?: SpreadRule;
};

/** Which provider answers a group at an index; numbers point into `spec.groups` and `providers`. */
export type Placement = {
  readonly group: number;
  readonly index: number;
  readonly provider: number;
  /** Positions of the resources that come from it; absent = all of the group's. */
  readonly resources?: readonly number[];
  /** What was given of each of those; absent = the amounts that were asked for. */
  readonly amounts?: readonly number[];
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

export type ClaimEnd = 'released' | 'expired' | 'cancelled';

export type ClaimRisk = {
  readonly reason: 'STILL_HELD' | 'PROVIDER_CLOSED' | 'PROVIDER_GONE';
  readonly message: string;
  readonly sinceMs: number;
};

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
  /** Principal that made it. */
  readonly owner: string;
  /** The projects above its own, nearest first, as keys (lower case); their quotas count it too. */
  readonly ancestors: readonly string[];
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
  readonly end?: ClaimEnd;
  /** When its owner was warned of its end; absent = not yet for this end. */
  readonly warnMs?: number;
  /** What time alone does not cure; written so that watchers learn of it. */
  readonly risk?: ClaimRisk;
  /** How often it was placed anew; absent = never. */
  readonly replacements?: number;
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
export const allocationsOf = (claim: {
  readonly spec: Pick<ClaimSpec, 'groups'>;
  readonly providers: readonly (Omit<HeldProvider, 'finishMs'> & Partial<HeldProvider>)[];
  readonly placements: readonly Placement[];
}): readonly Allocation[] =>
  claim.placements.flatMap((placement) => {
    const group = claim.spec.groups[placement.group];
    const provider = claim.providers[placement.provider];
    if (group === undefined || provider === undefined) return [];
    return placedResources(group, placement).map(({ resourceType, amount }) => ({
      group: group.name,
      index: placement.index,
      providerUid: provider.uid,
      provider: provider.name,
      resourceType,
      amount,
      finishMs: provider.finishMs,
    }));
  });

/** What a placement takes of its provider; the group's own list where it takes all as asked. */
export const placedResources = (
  group: RequestGroup,
  { resources, amounts }: Pick<Placement, 'resources' | 'amounts'>,
): readonly Pick<ResourceRequest, 'resourceType' | 'amount'>[] => {
  if (resources === undefined && amounts === undefined) return group.resources;
  const positions = resources ?? group.resources.keys();
  return [...positions].flatMap((position, at) => {
    const asked = group.resources[position];
    if (asked === undefined) return [];
    return [{ resourceType: asked.resourceType, amount: amounts?.[at] ?? asked.amount }];
  });
};

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
