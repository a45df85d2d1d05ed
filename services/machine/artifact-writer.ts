/** Takes a file into the database in parts, checks its digest, and only then lets it be read. */
import { createHash } from 'node:crypto';
import { DomainError, invalidArgument } from '../runtime/errors.ts';
import type { Random } from '../runtime/random.ts';
import type { SqlStore } from '../store/sql/open.ts';
import type { Actor } from '../store/sql/transaction.ts';
import { ARTIFACT_PART_BYTES, type Artifact, type Records } from './ports.ts';

export type ArtifactWriterDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly random: Random;
};

export type Incoming = {
  /** Hexadecimal, as declared. */
  readonly sha256: string;
  /** Declared size; 0 = unknown. */
  readonly sizeBytes: number;
  readonly source: AsyncIterable<Uint8Array>;
  readonly actor: Actor;
  /** Told after each part; throws to end it. */
  readonly onProgress?: (receivedBytes: number) => Promise<void>;
};

/**
 * Answers a file that lies complete but unread in the database; `complete` it in the transaction
 * that refers to it. Errors: invalid_argument CHECKSUM_MISMATCH; whatever the source throws. What
 * was written of a file that failed is swept away later.
 */
export const writeArtifact = async (
  { store, records, random }: ArtifactWriterDeps,
  { sha256, sizeBytes, source, actor, onProgress }: Incoming,
): Promise<Artifact> => {
  const uid = random.uid();
  await store.transaction(undefined, actor, (tx) => records.artifacts.begin(tx, { uid, sha256 }));
  const hash = createHash('sha256');
  let position = 0;
  for await (const data of regular(source)) {
    hash.update(data);
    await store.transaction(undefined, actor, (tx) =>
      records.artifacts.addPart(tx, { uid, position, data }),
    );
    position += data.length;
    if (sizeBytes > 0 && position > sizeBytes) throw tooLong(sizeBytes);
    await onProgress?.(position);
  }
  const found = hash.digest('hex');
  if (found !== sha256) throw mismatch(sha256, found, position);
  return { uid, sha256, sizeBytes: position };
};

/** Pieces of any size as parts of ARTIFACT_PART_BYTES, the last one shorter. */
async function* regular(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let part = Buffer.allocUnsafe(ARTIFACT_PART_BYTES);
  let filled = 0;
  for await (const piece of source) {
    let rest = piece;
    while (rest.length > 0) {
      const taken = Math.min(rest.length, ARTIFACT_PART_BYTES - filled);
      part.set(rest.subarray(0, taken), filled);
      filled += taken;
      rest = rest.subarray(taken);
      if (filled < ARTIFACT_PART_BYTES) continue;
      yield part;
      part = Buffer.allocUnsafe(ARTIFACT_PART_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}

const mismatch = (expected: string, found: string, sizeBytes: number) =>
  invalidArgument(
    'CHECKSUM_MISMATCH',
    `The ${sizeBytes} bytes that came have SHA-256 ${found}, not ${expected}`,
    { metadata: { expected, found, size_bytes: String(sizeBytes) } },
  );

const tooLong = (sizeBytes: number) =>
  new DomainError(
    'invalid_argument',
    'CHECKSUM_MISMATCH',
    `More came than the ${sizeBytes} bytes that were declared`,
    { metadata: { size_bytes: String(sizeBytes) } },
  );
