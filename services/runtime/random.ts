import { randomBytes, randomFillSync, randomUUID } from 'node:crypto';
import { v5 as uuidV5, v7 as uuidV7 } from 'uuid';

/** The only door to chance (test/tidy.test.ts refuses Math.random elsewhere). */
export type Random = {
  /** A number in [0, 1). */
  readonly fraction: () => number;
  /** A time-ordered UUIDv7, for the uid of a record (RFC 9562 section 5.7). */
  readonly uid: () => string;
  /** A UUIDv4, for a request id. */
  readonly requestId: () => string;
  readonly bytes: (count: number) => Buffer;
};

const UID_BYTES = 16;
const UIDS_AHEAD = 256;

/**
 * As the library counts them: within a millisecond by one. It asks for random bytes at each, which
 * takes longer than all else; here they come for many at once.
 */
const createUids = (): Random['uid'] => {
  const bytes = Buffer.alloc(UIDS_AHEAD * UID_BYTES);
  let at = bytes.length;
  let msecs = 0;
  let seq = 0;
  return () => {
    if (at === bytes.length) {
      randomFillSync(bytes);
      at = 0;
    }
    const random = bytes.subarray(at, at + UID_BYTES);
    at += UID_BYTES;
    const nowMs = Date.now();
    if (nowMs > msecs) {
      msecs = nowMs;
      // From the lower half, so that there is room to count.
      seq = random.readUInt32BE(6) >>> 1;
    } else {
      seq = (seq + 1) | 0;
      if (seq === 0) msecs += 1;
    }
    return uuidV7({ random, msecs, seq });
  };
};

export const systemRandom: Random = {
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  uid: createUids(),
  requestId: () => randomUUID(),
  bytes: (count) => randomBytes(count),
};

/** The request id of an inner call: the same for every repeat of that step of that operation. */
export const derivedRequestId = (operationUid: string, step: string): string =>
  uuidV5(step, operationUid);
