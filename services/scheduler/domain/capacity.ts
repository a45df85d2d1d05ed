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
 * What the leader committed of a provider. It remembers no requests: the same generation with the
 * same content is the same change. Only of a reshape it is said how many claims it moved, by one of
 * its records.
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
};

const NOTHING: Offers = new Map();

/** What may be allocated now. Without either there is nothing. */
export const offersInForce = (
  facts: ProviderFacts | undefined,
  record: CapacityRecord | undefined,
): Offers => {
  if (record === undefined) return facts?.offers ?? NOTHING;
  if (facts === undefined || facts.generation < record.generation) return record.offers;
  return facts.offers;
};

/** A provider is closed until machine has reported it available, which makes its first record. */
export const isClosed = (
  facts: ProviderFacts | undefined,
  record: CapacityRecord | undefined,
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
