import { invalidArgument } from '../../runtime/errors.ts';
import {
  type RangeOptions,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_OPERATIONS_MAX,
  type Transaction,
  type Write,
} from './port.ts';

/**
 * What etcd refuses, refused before anything is sent, so that both stores refuse the same with
 * the same reason and a refusal is never mistaken for an unknown outcome.
 */
export const assertValidTransaction = (transaction: Transaction): void => {
  const { compare, writes } = transaction;
  if (Math.max(compare.length, writes.length) > TRANSACTION_OPERATIONS_MAX)
    throw invalidArgument(
      'TOO_MANY_OPERATIONS',
      `A transaction has ${compare.length} comparisons and ${writes.length} writes, ` +
        `at most ${TRANSACTION_OPERATIONS_MAX} of each are allowed`,
    );
  for (const { key } of compare) assertValidKey(key);
  for (const write of writes) assertValidKey(keyOf(write), 'deletePrefix' in write);
  assertDistinct(writes);
  const bytes = sizeOf(transaction);
  if (bytes > TRANSACTION_BYTES_MAX)
    throw invalidArgument(
      'TRANSACTION_TOO_LARGE',
      `A transaction has ${bytes} bytes of keys and values, at most ${TRANSACTION_BYTES_MAX} ` +
        'are allowed',
    );
};

/** Keys are non-empty well-formed text without NUL; a prefix may also be empty. */
export const assertValidKey = (key: string, isPrefix = false): void => {
  if ((key.length === 0 && !isPrefix) || !key.isWellFormed() || key.includes('\0'))
    throw invalidArgument('INVALID_KEY', `${JSON.stringify(key)} is not a key`, {
      metadata: { key },
    });
};

export const assertValidRange = ({ prefix, after, limit }: RangeOptions): void => {
  assertValidKey(prefix, true);
  if (after !== undefined) assertValidKey(after, true);
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0))
    throw invalidArgument('INVALID_LIMIT', `A limit of ${limit} keys is not possible`);
};

/** The first bytes after all keys with that prefix; keys are UTF-8, so none begins with 0xff. */
export const endOfPrefix = (prefix: Buffer): Buffer => {
  if (prefix.length === 0) return Buffer.from([0xff]);
  // The last byte of UTF-8 text is at most 0xbf, so it can always be raised.
  const end = Buffer.from(prefix);
  end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1);
  return end;
};

const keyOf = (write: Write): string => {
  if ('put' in write) return write.put;
  return 'delete' in write ? write.delete : write.deletePrefix;
};

const assertDistinct = (writes: readonly Write[]): void => {
  const puts = new Set<string>();
  for (const write of writes) {
    if (!('put' in write)) continue;
    if (puts.has(write.put)) throw duplicateKey(write.put);
    puts.add(write.put);
  }
  for (const write of writes) {
    if ('delete' in write && puts.has(write.delete)) throw duplicateKey(write.delete);
    if (!('deletePrefix' in write)) continue;
    for (const put of puts) if (put.startsWith(write.deletePrefix)) throw duplicateKey(put);
  }
};

const duplicateKey = (key: string) =>
  invalidArgument('DUPLICATE_KEY', `Key "${key}" is written twice in one transaction`);

const sizeOf = ({ compare, writes }: Transaction): number => {
  let bytes = 0;
  for (const comparison of compare) {
    bytes += Buffer.byteLength(comparison.key);
    if (comparison.target === 'value') bytes += comparison.equals.byteLength;
  }
  for (const write of writes) {
    bytes += Buffer.byteLength(keyOf(write));
    if ('put' in write) bytes += write.value.byteLength;
  }
  return bytes;
};
