/**
 * Writes and changes as they go from thread to thread: all values in one buffer, which changes
 * hands and is not copied again. One object for each would cost more than to store it.
 */
import type { KeyValue, WatchEvent, Write } from '../port.ts';

type Rows = {
  readonly keys: readonly string[];
  readonly leaseIds: readonly string[];
  /** Bytes of each value, or what stands there instead. */
  readonly sizes: Int32Array;
  readonly bytes: Uint8Array<ArrayBuffer>;
};

const DELETE = -1;
const DELETE_PREFIX = -2;

export type PackedWrites = Rows;
/** Create revision, revision and version of each, one after the other. */
export type PackedEvents = Rows & { readonly counts: BigInt64Array };

const NOTHING = new Uint8Array();

export const packWrites = (writes: readonly Write[]): PackedWrites =>
  pack(
    writes.map((write) => {
      if ('put' in write) return { key: write.put, value: write.value, leaseId: write.leaseId };
      if ('delete' in write) return { key: write.delete, size: DELETE };
      return { key: write.deletePrefix, size: DELETE_PREFIX };
    }),
  );

export const unpackWrites = (packed: PackedWrites): readonly Write[] =>
  rowsOf(packed).map(({ key, size, value, leaseId }) => {
    if (size === DELETE) return { delete: key };
    if (size === DELETE_PREFIX) return { deletePrefix: key };
    return { put: key, value, leaseId };
  });

export const packEvents = (events: readonly WatchEvent[]): PackedEvents => {
  const counts = new BigInt64Array(events.length * 3);
  const rows = events.map((event, at): Unpacked => {
    if (event.kind === 'delete') {
      counts[at * 3 + 1] = event.modRevision;
      return { key: event.key, size: DELETE };
    }
    const { key, value, leaseId, createRevision, modRevision, version } = event.at;
    counts[at * 3] = createRevision;
    counts[at * 3 + 1] = modRevision;
    counts[at * 3 + 2] = version;
    return { key, value, leaseId };
  });
  return { ...pack(rows), counts };
};

export const unpackEvents = (packed: PackedEvents): readonly WatchEvent[] =>
  rowsOf(packed).map(({ key, size, value, leaseId }, at) => {
    const [createRevision = 0n, modRevision = 0n, version = 0n] = packed.counts.subarray(at * 3);
    if (size === DELETE) return { kind: 'delete', key, modRevision };
    return { kind: 'put', at: { key, value, createRevision, modRevision, version, leaseId } };
  });

export const packKeys = (keys: readonly KeyValue[]): PackedEvents =>
  packEvents(keys.map((at) => ({ kind: 'put', at })));

export const unpackKeys = (packed: PackedEvents): readonly KeyValue[] =>
  unpackEvents(packed).flatMap((event) => (event.kind === 'put' ? [event.at] : []));

type Unpacked = {
  readonly key: string;
  readonly value?: Uint8Array;
  readonly leaseId?: string | undefined;
  /** Absent = that of the value. */
  readonly size?: number;
};

const pack = (rows: readonly Unpacked[]): Rows => {
  const sizes = Int32Array.from(rows, ({ value = NOTHING, size }) => size ?? value.byteLength);
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + Math.max(size, 0), 0));
  let at = 0;
  for (const { value = NOTHING } of rows) {
    bytes.set(value, at);
    at += value.byteLength;
  }
  return {
    keys: rows.map(({ key }) => key),
    leaseIds: rows.map(({ leaseId = '' }) => leaseId),
    sizes,
    bytes,
  };
};

const rowsOf = ({ keys, leaseIds, sizes, bytes }: Rows) => {
  let end = 0;
  return keys.map((key, at) => {
    const size = sizes[at] ?? 0;
    const begin = end;
    end += Math.max(size, 0);
    return { key, size, value: bytes.subarray(begin, end), leaseId: leaseIds[at] ?? '' };
  });
};
