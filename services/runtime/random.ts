import { randomBytes, randomUUID } from 'node:crypto';
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

export const systemRandom: Random = {
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  uid: () => uuidV7(),
  requestId: () => randomUUID(),
  bytes: (count) => randomBytes(count),
};

/** The request id of an inner call: the same for every repeat of that step of that operation. */
export const derivedRequestId = (operationUid: string, step: string): string =>
  uuidV5(step, operationUid);
