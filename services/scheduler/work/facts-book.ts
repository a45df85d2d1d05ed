import type { Inventory } from '../../../gen/runmachine/inventory/v1/inventory_pb.ts';
import { type Provider, ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { ProviderEvent } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { namePattern } from '../../runtime/names.ts';
import type { Offer, ProviderFacts } from '../domain/capacity.ts';
import { keyOf, type Property } from '../domain/claim.ts';
import { createKeyLists } from '../domain/key-lists.ts';
import { propertyOf } from '../property-message.ts';
import { factsFrom } from './provider-facts.ts';
import { providerTypeOf } from './provider-type.ts';
import { createSharedValues, type SharedValues } from './shared-values.ts';
import { distanceOf } from './topology-message.ts';

export type FactsListener = (uid: string, facts: ProviderFacts | undefined) => void;

/**
 * The providers of all partitions as inventory's events tell them. `knownUid` gives the text of a
 * uid that is in memory already.
 */
export const createFactsBook = (
  schedulable: () => ReadonlySet<string>,
  knownUid: (partition: string, uid: string) => string | undefined = () => undefined,
) => {
  const byPartition = new Map<string, Map<string, ProviderFacts>>();
  const listeners = new Map<string, Set<FactsListener>>();
  /** Uids of its parts, by the provider of which they are. */
  const parts = createKeyLists();
  const shared = createSharedValues();
  const tell = (partition: string, uid: string, facts: ProviderFacts | undefined): void => {
    for (const listener of listeners.get(partition) ?? []) listener(uid, facts);
  };
  const put = (provider: Provider): string | undefined => {
    const partition = PROVIDER.parse(provider.name)?.partition;
    if (partition === undefined || provider.uid === '') return undefined;
    const key = shared.text(keyOf(partition));
    const given = keyOf(provider.uid);
    const uid = byPartition.get(key)?.get(given)?.uid ?? knownUid(key, given) ?? given;
    const facts = factsOf(provider, { uid, shared, schedulable: schedulable() });
    const providers = byPartition.get(key) ?? new Map<string, ProviderFacts>();
    byPartition.set(key, providers);
    const before = providers.get(facts.uid)?.parentUid;
    if (before !== undefined && before !== facts.parentUid) parts.remove(before, facts.uid);
    if (facts.parentUid !== undefined) parts.add(facts.parentUid, facts.uid);
    providers.set(facts.uid, facts);
    tell(key, facts.uid, facts);
    return facts.uid;
  };
  // A provider never changes its partition, and few go: nothing is kept to find it faster.
  const remove = (uid: string): void => {
    for (const [partition, providers] of byPartition) {
      const parentUid = providers.get(uid)?.parentUid;
      if (parentUid !== undefined) parts.remove(parentUid, uid);
      if (providers.delete(uid)) tell(partition, uid, undefined);
    }
  };
  return {
    /** Uid of a provider that is there; undefined for other events. */
    apply: ({ event }: ProviderEvent): string | undefined => {
      if (event.case === 'created' || event.case === 'updated') return put(event.value);
      if (event.case === 'deleted') remove(keyOf(event.value.uid));
      return undefined;
    },
    keepOnly: (uids: ReadonlySet<string>): void => {
      for (const providers of byPartition.values()) {
        for (const uid of providers.keys()) if (!uids.has(uid)) remove(uid);
      }
    },
    isEmpty: () => [...byPartition.values()].every(({ size }) => size === 0),
    find: (partition: string, uid: string) => byPartition.get(keyOf(partition))?.get(uid),
    all: (partition: string) => byPartition.get(keyOf(partition))?.values() ?? [],
    partsOf: parts.get,
    listen: (partition: string, listener: FactsListener) => {
      const key = keyOf(partition);
      const those = listeners.get(key) ?? new Set<FactsListener>();
      listeners.set(key, those);
      those.add(listener);
      return () => void those.delete(listener);
    },
  };
};

const PROVIDER = namePattern('partitions/{partition}/providers/{provider}');

type Reading = {
  readonly uid: string;
  readonly shared: SharedValues;
  readonly schedulable: ReadonlySet<string>;
};

const factsOf = (provider: Provider, { uid, shared, schedulable }: Reading): ProviderFacts => {
  const { name, generation, spec, status } = provider;
  const parentUid = keyOf(status?.parentUid ?? '');
  const idAt = name.lastIndexOf('/') + 1;
  const where = shared.where({
    parent: shared.text(name.slice(0, idAt)),
    groups: shared.set((spec?.groups ?? []).map(keyOf)),
    tags: shared.set(provider.tags),
    parentUid: parentUid === '' ? undefined : shared.text(parentUid),
    distances: shared.distances((spec?.distances ?? []).map(distanceOf)),
  });
  const what = shared.what({
    type: providerTypeOf(spec?.type ?? ProviderType.UNSPECIFIED),
    capabilities: shared.set(spec?.capabilities ?? []),
    offers: shared.offers(
      new Map((spec?.inventories ?? []).map((one) => [one.resourceType, offerOf(one)])),
    ),
  });
  const properties = shared.properties(schedulableIn(provider, schedulable));
  const id = name.slice(idAt);
  return factsFrom({ uid, id, generation: Number(generation), where, what, properties });
};

const schedulableIn = (
  { properties }: Provider,
  schedulable: ReadonlySet<string>,
): readonly (readonly [string, Property])[] => {
  const found: (readonly [string, Property])[] = [];
  for (const key of schedulable) {
    const value = properties[key];
    const property = value === undefined ? undefined : propertyOf(value);
    if (property !== undefined) found.push([key, property]);
  }
  return found;
};

/** Usable is floor((total - reserved) x ratio); the zeros of the contract are filled in. */
const offerOf = (inventory: Inventory): Offer => {
  const { total, reserved, allocationRatioMilli, minUnit, maxUnit, stepSize } = inventory;
  const left = total > reserved ? total - reserved : 0n;
  const usable = (left * BigInt(allocationRatioMilli === 0 ? 1000 : allocationRatioMilli)) / 1000n;
  return {
    usable: numberOf(usable),
    minUnit: minUnit === 0n ? 1 : numberOf(minUnit),
    maxUnit: numberOf(maxUnit === 0n ? total : maxUnit),
    stepSize: stepSize === 0n ? 1 : numberOf(stepSize),
  };
};

/** Amounts beyond 2^53 are as good as 2^53: no request is larger. */
const numberOf = (amount: bigint): number => Number(amount > MOST ? MOST : amount);

const MOST = BigInt(Number.MAX_SAFE_INTEGER);
