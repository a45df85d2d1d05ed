import {
  ProviderEventSchema,
  ProviderRemovedSchema,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { WireFields } from '../../runtime/wire-fields.ts';
import type { ProviderFacts } from '../domain/capacity.ts';
import { keyOf } from '../domain/claim.ts';
import { createKeyLists } from '../domain/key-lists.ts';
import { UidMap, UidNumbers } from '../domain/uid-map.ts';
import { factsFrom } from './provider-facts.ts';
import { createProviderReading } from './provider-reading.ts';

export type FactsListener = (uid: string, facts: ProviderFacts | undefined) => void;

/** What an event told. */
export type Told =
  | { readonly kind: 'there' | 'gone'; readonly uid: string }
  | { readonly kind: 'synced' | 'nothing' };

type OfPartition = {
  readonly numbers: UidNumbers;
  readonly providers: UidMap<ProviderFacts>;
};

const NOTHING: Told = { kind: 'nothing' };

const { created, updated, deleted, synced } = ProviderEventSchema.field;
const EVENT = {
  created: created.number,
  updated: updated.number,
  deleted: deleted.number,
  synced: synced.number,
} as const;
const REMOVED_UID = ProviderRemovedSchema.field.uid.number;

/** The numbers of a partition's providers, which others may share; the partition as a key. */
export type NumbersOf = (partition: string) => UidNumbers;

/** The providers of all partitions as inventory's events tell them. */
export const createFactsBook = (
  schedulable: () => ReadonlySet<string>,
  numbersOf: NumbersOf = () => new UidNumbers(),
) => {
  const byPartition = new Map<string, OfPartition>();
  const listeners = new Map<string, Set<FactsListener>>();
  /** Uids of its parts, by the provider of which they are. */
  const parts = createKeyLists();
  const read = createProviderReading(schedulable);
  const tell = (partition: string, uid: string, facts: ProviderFacts | undefined): void => {
    for (const listener of listeners.get(partition) ?? []) listener(uid, facts);
  };
  const ofPartition = (partition: string): OfPartition => {
    const known = byPartition.get(partition);
    if (known !== undefined) return known;
    const numbers = numbersOf(partition);
    const made = { numbers, providers: new UidMap<ProviderFacts>(numbers) };
    byPartition.set(partition, made);
    return made;
  };
  const put = (provider: WireFields): Told => {
    const found = read(provider);
    if (found === undefined) return NOTHING;
    const { partition } = found;
    const { numbers, providers } = ofPartition(partition);
    const before = providers.get(found.uid);
    const uid = numbers.text(found.uid);
    const facts = factsFrom({ ...found, uid });
    const wasIn = before?.parentUid;
    if (wasIn !== undefined && wasIn !== facts.parentUid) parts.remove(wasIn, uid);
    if (facts.parentUid !== undefined) parts.add(facts.parentUid, uid);
    providers.set(uid, facts);
    tell(partition, uid, facts);
    return { kind: 'there', uid };
  };
  // A provider never changes its partition, and few go: nothing is kept to find it faster.
  const remove = (uid: string): void => {
    for (const [partition, { providers }] of byPartition) {
      const parentUid = providers.get(uid)?.parentUid;
      if (parentUid !== undefined) parts.remove(parentUid, uid);
      if (providers.delete(uid)) tell(partition, uid, undefined);
    }
  };
  const take = (removed: WireFields): Told => {
    let uid = '';
    while (removed.next()) if (removed.field === REMOVED_UID) uid = keyOf(removed.text());
    remove(uid);
    return { kind: 'gone', uid };
  };
  return {
    /** Takes an encoded ProviderEvent. */
    apply: (event: Uint8Array): Told => {
      const fields = new WireFields(Buffer.from(event.buffer, event.byteOffset, event.length));
      let told: Told = NOTHING;
      while (fields.next()) {
        if (fields.field === EVENT.created || fields.field === EVENT.updated) {
          told = put(fields.inner());
        } else if (fields.field === EVENT.deleted) told = take(fields.inner());
        else if (fields.field === EVENT.synced) told = { kind: 'synced' };
      }
      return told;
    },
    keepOnly: (uids: ReadonlySet<string>): void => {
      for (const { providers } of byPartition.values()) {
        for (const uid of providers.keys()) if (!uids.has(uid)) remove(uid);
      }
    },
    isEmpty: () => [...byPartition.values()].every(({ providers }) => providers.size === 0),
    find: (partition: string, uid: string) => byPartition.get(keyOf(partition))?.providers.get(uid),
    all: (partition: string) => byPartition.get(keyOf(partition))?.providers.values() ?? [],
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
