import type { IKeyValue } from 'etcd3';
import type { KeyValue } from '../port.ts';
import { endOfPrefix } from '../transaction-rules.ts';

/** Between the port's words and etcd's messages, with a prefix of ours before every key. */
export type Messages = {
  readonly key: (key: string) => Buffer;
  /** Length of the prefix. */
  readonly prefixBytes: number;
  /** The keys below the prefix, from `after` (exclusive) on. */
  readonly span: (
    prefix: string,
    after?: string,
  ) => { readonly key: Buffer; readonly range_end: Buffer };
  readonly keyValue: (kv: IKeyValue) => KeyValue;
};

export const openMessages = (prefix: string): Messages => {
  const toKey = (key: string): Buffer => Buffer.from(prefix + key);
  const fromKey = (key: Buffer): string => key.toString().slice(prefix.length);

  const span: Messages['span'] = (below, after) => {
    const start = toKey(below);
    const next = after === undefined ? start : toKey(`${after}\0`);
    const key = Buffer.compare(next, start) > 0 ? next : start;
    // etcd reads an empty key as "none"; its first possible key is one NUL.
    return { key: key.length === 0 ? Buffer.from([0]) : key, range_end: endOfPrefix(start) };
  };

  const keyValue = (kv: IKeyValue): KeyValue => ({
    key: fromKey(kv.key),
    value: kv.value,
    createRevision: BigInt(kv.create_revision),
    modRevision: BigInt(kv.mod_revision),
    version: BigInt(kv.version),
    leaseId: kv.lease === '0' ? '' : kv.lease,
  });

  return {
    key: toKey,
    prefixBytes: Buffer.byteLength(prefix),
    span,
    keyValue,
  };
};
