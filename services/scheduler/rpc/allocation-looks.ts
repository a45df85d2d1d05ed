/**
 * What ListAllocations goes along: provider by provider in the order of their uids, on each claim
 * by claim in the order of their begins. A page pays for what it looks at, not for what is before
 * it: so a list of everything costs what there is, however many pages it has.
 */
import type { Access } from '../../runtime/access.ts';
import { isWildcard } from '../../runtime/names.ts';
import type { PageKey } from '../../store/sql/page.ts';
import {
  type Allocation,
  allocationsOf,
  type ClaimRecord,
  isReleasing,
  keyOf,
} from '../domain/claim.ts';
import { type Interval, overlaps } from '../domain/hold.ts';
import type { PartitionView } from '../ports.ts';
import { compareKeys, isBelow, type Parent } from './claims-read.ts';

export type AllocationQuery<View> = {
  readonly parent: Parent;
  readonly access: Pick<Access, 'covers'>;
  readonly window: Interval;
  /** Lower case; empty = any. */
  readonly providerUid: string;
  readonly consumerUid: string;
  /** Whether the provider is in the group that is asked for. */
  readonly isMember: (view: View, providerUid: string) => boolean;
};

/** What is read of a partition. */
export type AllocationView = Pick<PartitionView, 'partition' | 'claims' | 'nowMs'>;

export type AllocationRow<View> = {
  readonly view: View;
  readonly claim: ClaimRecord;
  readonly allocation: Allocation;
  readonly key: PageKey;
};

/** One thing that was looked at. */
export type AllocationLook<View> = {
  readonly rows: readonly AllocationRow<View>[];
  /** Everything up to here was looked at. */
  readonly key: PageKey;
  /** How much work it was: 1 for a provider or a claim, more for a large claim. */
  readonly cost: number;
};

/** Behind every allocation of a claim on a provider, and every begin on it. */
const LAST_POSITION = Number.MAX_SAFE_INTEGER;
/** Placements that are gone through as fast as a claim is found. */
const PLACEMENTS_OF_COST = 100;
/** Up to so many held providers those of a project, or a consumer, are sorted for each page. */
const NAMED_MAX = 10_000;

export function* allocationLooks<View extends AllocationView>(
  query: AllocationQuery<View>,
  views: readonly View[],
  after: PageKey | undefined,
): Generator<AllocationLook<View>> {
  const from = String(after?.[0] ?? '');
  for (const view of views) {
    const partition = keyOf(view.partition);
    if (partition < from) continue;
    const start = partition === from ? after : undefined;
    const first = start === undefined ? undefined : String(start[1] ?? '');
    for (const [providerUid, claims] of providersIn(query, view, first)) {
      const rest = providerUid === first ? claims.filter((claim) => isFrom(claim, start)) : claims;
      for (const claim of rest.toSorted(byBegin)) {
        yield lookAt(query, { view, claim, providerUid, after: start });
      }
      // Tokens may stand here: nothing of this provider is left.
      const key: PageKey = [partition, providerUid, LAST_POSITION, '', 0];
      if (start === undefined || compareKeys(key, start) > 0) yield { rows: [], key, cost: 1 };
    }
  }
}

type ProviderClaims = readonly [providerUid: string, claims: readonly ClaimRecord[]];

/** In the order of the uids of providers, from this one on. */
function* providersIn<View extends AllocationView>(
  query: AllocationQuery<View>,
  view: View,
  first: string | undefined,
): Generator<ProviderClaims> {
  const { claims } = view;
  const { providerUid } = query;
  if (providerUid !== '') {
    const isAhead = first === undefined || providerUid >= first;
    if (isAhead) yield [providerUid, [...claims.ofProvider(providerUid)]];
    return;
  }
  const named = namedIn(query, view);
  if (named === undefined) {
    for (const uid of claims.providersFrom(first)) {
      yield [uid, query.isMember(view, uid) ? [...claims.ofProvider(uid)] : []];
    }
    return;
  }
  for (const uid of [...named.keys()].sort()) {
    const isBefore = first !== undefined && uid < first;
    if (!isBefore && query.isMember(view, uid)) yield [uid, named.get(uid) ?? []];
  }
}

/**
 * The claims of the consumer, or of the project, by provider; undefined = none is named, or they
 * are so many that it is less work to go along all providers.
 */
const namedIn = (
  { parent, consumerUid }: Pick<AllocationQuery<never>, 'parent' | 'consumerUid'>,
  { claims }: AllocationView,
): ReadonlyMap<string, readonly ClaimRecord[]> | undefined => {
  if (consumerUid === '' && isWildcard(parent.project)) return undefined;
  const those =
    consumerUid === '' ? claims.ofProject(parent.project) : claims.ofConsumer(consumerUid);
  const byProvider = new Map<string, ClaimRecord[]>();
  let held = 0;
  for (const claim of those) {
    held += claim.providers.length;
    if (held > NAMED_MAX) return undefined;
    for (const { uid } of claim.providers) {
      const there = byProvider.get(uid);
      if (there === undefined) byProvider.set(uid, [claim]);
      else there.push(claim);
    }
  }
  return byProvider;
};

type At<View> = {
  readonly view: View;
  readonly claim: ClaimRecord;
  readonly providerUid: string;
  readonly after: PageKey | undefined;
};

const lookAt = <View extends AllocationView>(
  { parent, access, window, consumerUid }: AllocationQuery<View>,
  { view, claim, providerUid, after }: At<View>,
): AllocationLook<View> => {
  const start = [keyOf(view.partition), providerUid, claim.spec.acquireMs, claim.uid] as const;
  const key: PageKey = [...start, LAST_POSITION];
  const isMeant =
    isBelow(parent, claim) &&
    access.covers(claim) &&
    (consumerUid === '' || claim.spec.consumer?.uid === consumerUid);
  if (!isMeant) return { rows: [], key, cost: 1 };
  const nowMs = view.nowMs();
  const rows: AllocationRow<View>[] = [];
  for (const [position, allocation] of allocationsOn(claim, providerUid)) {
    const at: PageKey = [...start, position];
    const isBehind = after === undefined || compareKeys(at, after) > 0;
    if (!isBehind || !overlaps(timeOf(claim, allocation, nowMs), window)) continue;
    rows.push({ view, claim, allocation, key: at });
  }
  return { rows, key, cost: 1 + Math.floor(claim.placements.length / PLACEMENTS_OF_COST) };
};

/** With their positions among all of the claim; of the others nothing is made. */
function* allocationsOn(
  claim: ClaimRecord,
  providerUid: string,
): Generator<readonly [position: number, allocation: Allocation]> {
  const provider = claim.providers.findIndex(({ uid }) => uid === providerUid);
  let position = 0;
  for (const placement of claim.placements) {
    if (placement.provider !== provider) {
      const resources = placement.resources ?? claim.spec.groups[placement.group]?.resources;
      position += resources?.length ?? 0;
      continue;
    }
    for (const allocation of allocationsOf({ ...claim, placements: [placement] })) {
      yield [position, allocation];
      position += 1;
    }
  }
}

/** A releasing claim holds until it is given back, whatever its window says. */
const timeOf = (claim: ClaimRecord, { finishMs }: Allocation, nowMs: number): Interval => {
  const endMs = isReleasing(claim, nowMs) ? Infinity : (claim.spec.releaseMs ?? Infinity);
  return { fromMs: claim.spec.acquireMs, toMs: finishMs ?? endMs };
};

const byBegin = (a: ClaimRecord, b: ClaimRecord): number =>
  a.spec.acquireMs - b.spec.acquireMs || (a.uid < b.uid ? -1 : 1);

/** Whether something of the claim may lie behind the key, on the key's provider. */
const isFrom = ({ spec, uid }: ClaimRecord, after: PageKey | undefined): boolean =>
  after === undefined || compareKeys([spec.acquireMs, uid, LAST_POSITION], after.slice(2)) > 0;
