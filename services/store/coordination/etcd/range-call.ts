/**
 * Ranges, read where they lie in etcd's answer. The library makes a text of each 64-bit number and
 * a number of that again, four for a key: of a million keys that is more than all that is made of
 * what they hold. https://github.com/etcd-io/etcd/blob/main/api/etcdserverpb/rpc.proto
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Metadata } from '@grpc/grpc-js';
import { castGrpcError } from 'etcd3';
import { WireFields } from '../../../runtime/wire-fields.ts';
import type { KeyValue, RangeResult } from '../port.ts';
import type { Member } from './members.ts';

export type RangeQuestion = {
  readonly key: Buffer;
  readonly rangeEnd: Buffer;
  readonly limit: number;
  /** undefined = the newest. */
  readonly revision: bigint | undefined;
};

/** Key bytes of ours that stand before every key. */
export type Prefix = { readonly prefixBytes: number };

const PATH = '/etcdserverpb.KV/Range';

/** Errors: those of etcd3. */
export const callRange = (
  { direct, options }: Member,
  question: RangeQuestion,
  prefix: Prefix,
): Promise<RangeResult> =>
  new Promise((resolve, reject) => {
    direct.makeUnaryRequest(
      PATH,
      encode,
      (bytes: Buffer) => readPage(bytes, prefix),
      question,
      new Metadata(),
      options,
      (error, page) => {
        if (error === null && page !== undefined) resolve(page);
        else reject(castGrpcError(error ?? new Error('etcd answered nothing')));
      },
    );
  });

const BYTES = 2;
const tagOf = (field: number, kind: number): number => field * 8 + kind;

const encode = ({ key, rangeEnd, limit, revision }: RangeQuestion): Buffer => {
  const writer = new BinaryWriter();
  writer.uint32(tagOf(1, BYTES)).bytes(key);
  writer.uint32(tagOf(2, BYTES)).bytes(rangeEnd);
  writer.uint32(tagOf(3, 0)).int64(limit);
  if (revision !== undefined) writer.uint32(tagOf(4, 0)).int64(revision);
  return Buffer.from(writer.finish());
};

const ANSWER = { header: 1, keys: 2, more: 3 } as const;
const HEADER_REVISION = 3;

const readPage = (bytes: Buffer, prefix: Prefix): RangeResult => {
  const answer = new WireFields(bytes);
  const keys: KeyValue[] = [];
  let [revision, more] = [0n, false];
  while (answer.next()) {
    if (answer.field === ANSWER.keys) keys.push(readKeyValue(answer.inner(), prefix));
    else if (answer.field === ANSWER.more) more = answer.value !== 0;
    else if (answer.field === ANSWER.header) revision = revisionOf(answer.inner());
  }
  return { keys, more, revision };
};

export const revisionOf = (header: WireFields): bigint => {
  let revision = 0n;
  while (header.next()) if (header.field === HEADER_REVISION) revision = header.integer();
  return revision;
};

const KEY = { key: 1, createRevision: 2, modRevision: 3, version: 4, value: 5, lease: 6 } as const;
const NOTHING = new Uint8Array();

export const readKeyValue = (fields: WireFields, { prefixBytes }: Prefix): KeyValue => {
  const read = new ReadKey();
  while (fields.next()) {
    switch (fields.field) {
      case KEY.key:
        read.key = fields.textFrom(prefixBytes);
        break;
      case KEY.createRevision:
        read.createRevision = fields.integer();
        break;
      case KEY.modRevision:
        read.modRevision = fields.integer();
        break;
      case KEY.version:
        read.version = fields.integer();
        break;
      case KEY.value:
        read.value = fields.bytes();
        break;
      case KEY.lease:
        read.leaseId = fields.value === 0 ? '' : String(fields.integer());
    }
  }
  return read;
};

/**
 * A class, because V8 puts among the old objects at once what is written out where those before it
 * lasted, as those of a long list do. Each of a watch would then keep all that etcd sent with it
 * until the whole heap is collected.
 */
class ReadKey implements KeyValue {
  key = '';
  value: Uint8Array = NOTHING;
  createRevision = 0n;
  modRevision = 0n;
  version = 0n;
  leaseId = '';
}
