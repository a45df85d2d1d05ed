import { leaseLost } from '../failures.ts';
import type {
  Compare,
  KeyValue,
  Revision,
  Transaction,
  TransactionResult,
  WatchEvent,
  Write,
} from '../port.ts';
import type { Records } from './records.ts';

type Applied = { readonly value: TransactionResult; readonly events: readonly WatchEvent[] };

/** What a transaction does at revision `next`: the changes to store, none when it does nothing. */
export const applyTransaction = (
  deps: { readonly records: Records; readonly isAlive: (leaseId: string) => boolean },
  transaction: Transaction,
  next: Revision,
): Applied => {
  const unchanged = next - 1n;
  if (!transaction.compare.every((compare) => holds(compare, deps.records)))
    return { value: { succeeded: false, revision: unchanged }, events: [] };
  for (const write of transaction.writes)
    if ('put' in write && write.leaseId && !deps.isAlive(write.leaseId))
      throw leaseLost(write.leaseId);
  const events = transaction.writes.flatMap((write) => eventsOf(deps.records, write, next));
  const distinct = withoutRepeatedDeletes(events);
  const revision = distinct.length === 0 ? unchanged : next;
  return { value: { succeeded: true, revision }, events: distinct };
};

/** The deletion of keys at revision `next`. */
export const deletions = (
  keys: readonly Pick<KeyValue, 'key'>[],
  next: Revision,
): readonly WatchEvent[] => keys.map(({ key }) => ({ kind: 'delete', key, modRevision: next }));

const holds = (compare: Compare, { find, counts }: Records): boolean => {
  if (compare.target !== 'value')
    return (counts(compare.key)?.[compare.target] ?? 0n) === compare.equals;
  const at = find(compare.key);
  return at !== undefined && Buffer.compare(at.value, compare.equals) === 0;
};

const eventsOf = (records: Records, write: Write, next: Revision): readonly WatchEvent[] => {
  if ('deletePrefix' in write) return deletions(records.below(write.deletePrefix), next);
  if ('delete' in write) {
    const isThere = records.counts(write.delete) !== undefined;
    return isThere ? deletions([{ key: write.delete }], next) : [];
  }
  const before = records.counts(write.put);
  return [
    {
      kind: 'put',
      at: {
        key: write.put,
        // A copy: the caller may reuse its buffer, and watchers keep what they were given.
        value: new Uint8Array(write.value),
        createRevision: before?.createRevision ?? next,
        modRevision: next,
        version: (before?.version ?? 0n) + 1n,
        leaseId: write.leaseId ?? '',
      },
    },
  ];
};

/** Deletes may overlap (a key and its prefix); a key is deleted once. */
const withoutRepeatedDeletes = (events: readonly WatchEvent[]): readonly WatchEvent[] => {
  const deleted = new Set<string>();
  return events.filter((event) => {
    if (event.kind === 'put') return true;
    if (deleted.has(event.key)) return false;
    deleted.add(event.key);
    return true;
  });
};
