/**
 * What a provider offers. Inventory describes it, but what takes capacity away is decided by the
 * leader first: its record overrides what inventory's watch has told, until the watch reports the
 * record's generation.
 */
import type { Property } from './claim.ts';
import type { Distance } from './topology.ts';

export type Offer = {
  /** Amount that may be allocated at an instant, after reserve and ratio. */
  readonly usable: number;
  readonly minUnit: number;
  readonly maxUnit: number;
  readonly stepSize: number;
};

/** By resource type. */
export type Offers = ReadonlyMap<string, Offer>;

/** What inventory's watch tells of a provider. */
export type ProviderFacts = {
  readonly uid: string;
  readonly name: string;
  readonly type: string;
  readonly generation: number;
  readonly capabilities: ReadonlySet<string>;
  /** Ids of the groups that it names itself, lower case. */
  readonly groups: ReadonlySet<string>;
  readonly tags: ReadonlySet<string>;
  readonly offers: Offers;
  /** Uid of the provider of which it is a part; absent = a root. */
  readonly parentUid?: string | undefined;
  /** The schedulable ones; absent = none. */
  readonly properties?: ReadonlyMap<string, Property> | undefined;
  /** Beside what follows from its groups; absent = none. */
  readonly distances?: readonly Distance[] | undefined;
};

/**
 * What the leader committed of a provider. The same generation with the same content is the same
 * change, so of requests only marks are kept, by which a copy of one that comes late is known. Of a
 * reshape it is said how many claims it moved, by one of its records.
 */
export type CapacityRecord = {
  readonly providerUid: string;
  readonly generation: number;
  readonly offers: Offers;
  /** No new claim may be placed on it. */
  readonly closed: boolean;
  readonly version: number;
  readonly updateMs: number;
  /** The reshape that made it; absent = none did, or another of its records says it. */
  readonly reshape?: { readonly requestId: string; readonly claims: number };
  /** Marks of the requests of this generation before the last one, oldest first; absent = none. */
  readonly earlier?: readonly number[];
  /** Mark of the request that made it; 0 or absent = not known. */
  readonly mark?: number;
};

/**
 * 31 bits of a request id (FNV-1a), since a million whole ones would be a tenth of a leader's
 * memory. Two that have one mark do no harm: a request is refused that may be made anew.
 */
export const markOf = (requestId: string): number => {
  if (requestId === '') return 0;
  let hash = 0x811c9dc5;
  for (let at = 0; at < requestId.length; at += 1) {
    hash = Math.imul(hash ^ requestId.charCodeAt(at), 0x01000193);
  }
  return hash & 0x7fffffff || 1;
};

/** More changes of one generation than can be on their way at once. */
const EARLIER_MAX = 8;

/** What a record that takes the place of `before` keeps of who made which. */
export const marksAfter = (
  before: CapacityRecord | undefined,
  { generation, requestId }: { readonly generation: number; readonly requestId: string },
): Pick<CapacityRecord, 'earlier' | 'mark'> => {
  const mark = markOf(requestId);
  if (before === undefined || before.generation !== generation) return { mark };
  const earlier = [...(before.earlier ?? []), before.mark ?? 0].filter((one) => one !== 0);
  return earlier.length === 0 ? { mark } : { earlier: earlier.slice(-EARLIER_MAX), mark };
};

/** A later change of the same generation has taken the place of what that request did. */
export const wasReplaced = ({ earlier }: CapacityRecord, requestId: string): boolean =>
  requestId !== '' && earlier?.includes(markOf(requestId)) === true;

const NOTHING: Offers = new Map();

/** What may be allocated now. Without either there is nothing. */
export const offersInForce = (
  facts: ProviderFacts | undefined,
  record: Pick<CapacityRecord, 'generation' | 'offers'> | undefined,
): Offers => {
  if (record === undefined) return facts?.offers ?? NOTHING;
  if (facts === undefined || facts.generation < record.generation) return record.offers;
  return facts.offers;
};

/** A provider is closed until machine has reported it available, which makes its first record. */
export const isClosed = (
  facts: ProviderFacts | undefined,
  record: Pick<CapacityRecord, 'closed'> | undefined,
): boolean => facts === undefined || record === undefined || record.closed;

/** Why an amount cannot be allocated of an offer, whatever is free; undefined = it can. */
export const unitProblem = (offer: Offer, amount: number): string | undefined => {
  if (amount < offer.minUnit) return `less than the smallest unit ${offer.minUnit}`;
  if (offer.maxUnit > 0 && amount > offer.maxUnit)
    return `more than the largest unit ${offer.maxUnit}`;
  if (offer.stepSize > 1 && amount % offer.stepSize !== 0)
    return `no multiple of ${offer.stepSize}`;
  return amount > offer.usable ? `more than all of it, ${offer.usable}` : undefined;
};
