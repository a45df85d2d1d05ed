/**
 * Reads stored capacity records. Those of a fleet are mostly equal but for the uid of the provider,
 * at the begin, and the time and mark of the last change, at the end: what is between is decoded
 * once and found again by its bytes.
 */
import type { CapacityRecord } from '../domain/capacity.ts';
import {
  CAPACITY_BEGIN,
  CAPACITY_MARK,
  CAPACITY_TIME,
  decodeCapacity,
} from '../domain/record-format.ts';
import { createPool, type SharedValues } from './shared-values.ts';

export type CapacityReading = (bytes: Uint8Array) => CapacityRecord;

/** `providerUid` gives the text of a uid that is in memory already. */
export const createCapacityReading = (
  shared: Pick<SharedValues, 'capacity'>,
  providerUid: (uid: string) => string,
): CapacityReading => {
  const pool = createPool<CapacityRecord>();
  return (value) => {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
    const parts = partsOf(bytes);
    if (parts === undefined) return shared.capacity(decodeCapacity(bytes));
    const { uid, content, updateMs } = parts;
    const like = pool(content, () => shared.capacity(decodeCapacity(bytes)));
    const { generation, offers, closed, version, reshape, earlier } = like;
    const mark = parts.mark ?? like.mark ?? 0;
    const own = providerUid(uid);
    // Written out: a copy of an object takes half as much again.
    if (reshape !== undefined || earlier !== undefined) {
      return { ...like, providerUid: own, updateMs, mark };
    }
    return { providerUid: own, generation, offers, closed, version, updateMs, mark };
  };
};

type Parts = {
  readonly uid: string;
  /** What stands between the uid and the time, as a key: a character for each byte. */
  readonly content: string;
  readonly updateMs: number;
  /** undefined = it does not end the record. */
  readonly mark: number | undefined;
};

const QUOTE = 0x22;
const BRACE = 0x7d;
/** Nothing that JSON writes otherwise than it is meant. */
const PLAIN = /^[\w.-]+$/;
const DIGITS = /^\d{1,15}$/;

/** undefined = it does not look as most do. */
const partsOf = (bytes: Buffer): Parts | undefined => {
  if (bytes.toString('latin1', 0, CAPACITY_BEGIN.length) !== CAPACITY_BEGIN) return undefined;
  const uidEnd = bytes.indexOf(QUOTE, CAPACITY_BEGIN.length);
  const timeAt = bytes.lastIndexOf(CAPACITY_TIME);
  const end = bytes.length - 1;
  if (timeAt < uidEnd || bytes[end] !== BRACE) return undefined;
  const uid = bytes.toString('latin1', CAPACITY_BEGIN.length, uidEnd);
  const tail = bytes.toString('latin1', timeAt + CAPACITY_TIME.length, end);
  const [time = '', mark, more] = tail.split(CAPACITY_MARK);
  if (!PLAIN.test(uid) || !DIGITS.test(time) || more !== undefined) return undefined;
  if (mark !== undefined && !DIGITS.test(mark)) return undefined;
  const content = bytes.toString('latin1', uidEnd, timeAt);
  const said = mark === undefined ? undefined : Number(mark);
  return { uid, content, updateMs: Number(time), mark: said };
};
