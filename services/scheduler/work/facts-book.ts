import type { Inventory } from '../../../gen/runmachine/inventory/v1/inventory_pb.ts';
import { type Provider, ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { ProviderEvent } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { namePattern } from '../../runtime/names.ts';
import type { Offer, ProviderFacts } from '../domain/capacity.ts';
import { keyOf } from '../domain/claim.ts';

export type FactsListener = (uid: string, facts: ProviderFacts | undefined) => void;

/** The providers of all partitions as inventory's events tell them. */
export type FactsBook = ReturnType<typeof createFactsBook>;

export const createFactsBook = () => {
  const byPartition = new Map<string, Map<string, ProviderFacts>>();
  const partitionByUid = new Map<string, string>();
  const listeners = new Map<string, Set<FactsListener>>();
  const tell = (partition: string, uid: string, facts: ProviderFacts | undefined): void => {
    for (const listener of listeners.get(partition) ?? []) listener(uid, facts);
  };
  const put = (provider: Provider): string | undefined => {
    const partition = PROVIDER.parse(provider.name)?.partition;
    if (partition === undefined || provider.uid === '') return undefined;
    const key = keyOf(partition);
    const facts = factsOf(provider);
    const providers = byPartition.get(key) ?? new Map<string, ProviderFacts>();
    byPartition.set(key, providers);
    providers.set(facts.uid, facts);
    partitionByUid.set(facts.uid, key);
    tell(key, facts.uid, facts);
    return facts.uid;
  };
  const remove = (uid: string): void => {
    const partition = partitionByUid.get(uid);
    if (partition === undefined) return;
    partitionByUid.delete(uid);
    byPartition.get(partition)?.delete(uid);
    tell(partition, uid, undefined);
  };
  return {
    /** Uid of a provider that is there; undefined for other events. */
    apply: ({ event }: ProviderEvent): string | undefined => {
      if (event.case === 'created' || event.case === 'updated') return put(event.value);
      if (event.case === 'deleted') remove(keyOf(event.value.uid));
      return undefined;
    },
    keepOnly: (uids: ReadonlySet<string>): void => {
      for (const uid of [...partitionByUid.keys()]) if (!uids.has(uid)) remove(uid);
    },
    find: (partition: string, uid: string) => byPartition.get(keyOf(partition))?.get(uid),
    all: (partition: string) => byPartition.get(keyOf(partition))?.values() ?? [],
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

const TYPES: ReadonlyMap<ProviderType, string> = new Map<ProviderType, string>([
  [ProviderType.BARE_METAL, 'bare-metal'],
  [ProviderType.VM_HOST, 'vm-host'],
  [ProviderType.STORAGE_POOL, 'storage-pool'],
  [ProviderType.CLOUD, 'cloud'],
  [ProviderType.DEVICE, 'device'],
]);

const factsOf = ({ name, uid, generation, tags, spec }: Provider): ProviderFacts => ({
  uid: keyOf(uid),
  name,
  type: TYPES.get(spec?.type ?? ProviderType.UNSPECIFIED) ?? '',
  generation: Number(generation),
  capabilities: new Set(spec?.capabilities ?? []),
  groups: new Set(spec?.groups ?? []),
  tags: new Set(tags),
  offers: new Map((spec?.inventories ?? []).map((one) => [one.resourceType, offerOf(one)])),
});

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
