/**
 * Transactions, written as bytes at once. The library makes several objects of each write, and of
 * each part of an answer of which nobody wants more than whether it succeeded, and when.
 * https://github.com/etcd-io/etcd/blob/main/api/etcdserverpb/rpc.proto
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Metadata } from '@grpc/grpc-js';
import { castGrpcError } from 'etcd3';
import { WireFields } from '../../../runtime/wire-fields.ts';
import type { Compare, Transaction, TransactionResult, Write } from '../port.ts';
import type { Member } from './members.ts';
import type { Messages } from './messages.ts';
import { revisionOf } from './range-call.ts';

const PATH = '/etcdserverpb.KV/Txn';

/** Errors: those of etcd3. */
export const callTxn = ({ direct, options }: Member, request: Buffer): Promise<TransactionResult> =>
  new Promise((resolve, reject) => {
    direct.makeUnaryRequest(
      PATH,
      (bytes: Buffer) => bytes,
      readResult,
      request,
      new Metadata(),
      options,
      (error, result) => {
        if (error === null && result !== undefined) resolve(result);
        else reject(castGrpcError(error ?? new Error('etcd answered nothing')));
      },
    );
  });

type Keys = Pick<Messages, 'key' | 'span'>;

const REQUEST = { compare: 1, success: 2 } as const;

export const encodeTxn = ({ compare, writes }: Transaction, keys: Keys): Buffer => {
  const writer = new BinaryWriter();
  for (const one of compare) {
    bytesTag(writer, REQUEST.compare).fork();
    writeCompare(writer, one, keys);
    writer.join();
  }
  for (const write of writes) {
    bytesTag(writer, REQUEST.success).fork();
    writeOperation(writer, write, keys);
    writer.join();
  }
  const bytes = writer.finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
};

const VARINT = 0;
const BYTES = 2;
const tag = (writer: BinaryWriter, field: number, kind: number): BinaryWriter =>
  writer.uint32(field * 8 + kind);
const bytesTag = (writer: BinaryWriter, field: number): BinaryWriter => tag(writer, field, BYTES);

const COMPARE = { target: 2, key: 3 } as const;
/** What is compared, by its number, and the field that holds what it should be. */
const TARGETS = {
  version: { number: 0, field: 4 },
  createRevision: { number: 1, field: 5 },
  modRevision: { number: 2, field: 6 },
  value: { number: 3, field: 7 },
} as const;

/** The result that is wanted is "equal", which is none to be written. */
const writeCompare = (writer: BinaryWriter, compare: Compare, { key }: Keys): void => {
  const { number, field } = TARGETS[compare.target];
  tag(writer, COMPARE.target, VARINT).uint32(number);
  bytesTag(writer, COMPARE.key).bytes(key(compare.key));
  if (compare.target === 'value') bytesTag(writer, field).bytes(compare.equals);
  else tag(writer, field, VARINT).int64(BigInt(compare.equals));
};

const OPERATION = { put: 2, deleteRange: 3 } as const;
const PUT = { key: 1, value: 2, lease: 3 } as const;
const DELETE_RANGE = { key: 1, rangeEnd: 2 } as const;

const writeOperation = (writer: BinaryWriter, write: Write, { key, span }: Keys): void => {
  if ('put' in write) {
    bytesTag(writer, OPERATION.put).fork();
    bytesTag(writer, PUT.key).bytes(key(write.put));
    bytesTag(writer, PUT.value).bytes(write.value);
    if (write.leaseId) tag(writer, PUT.lease, VARINT).int64(BigInt(write.leaseId));
    writer.join();
    return;
  }
  bytesTag(writer, OPERATION.deleteRange).fork();
  if ('delete' in write) bytesTag(writer, DELETE_RANGE.key).bytes(key(write.delete));
  else {
    const { key: first, range_end: end } = span(write.deletePrefix);
    bytesTag(writer, DELETE_RANGE.key).bytes(first);
    bytesTag(writer, DELETE_RANGE.rangeEnd).bytes(end);
  }
  writer.join();
};

const ANSWER = { header: 1, succeeded: 2 } as const;

const readResult = (bytes: Buffer): TransactionResult => {
  const answer = new WireFields(bytes);
  let [succeeded, revision] = [false, 0n];
  while (answer.next()) {
    if (answer.field === ANSWER.succeeded) succeeded = answer.value !== 0;
    else if (answer.field === ANSWER.header) revision = revisionOf(answer.inner());
  }
  return { succeeded, revision };
};
