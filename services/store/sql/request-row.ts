import type { Kysely } from 'kysely';
import { aborted, invalidArgument } from '../../runtime/errors.ts';
import type { Actor } from './notes.ts';
import type { SharedTables } from './shared-tables.ts';

/**
 * One mutation as its caller named it. The row is written first and answered last in the
 * transaction of the effect, so that the same request is done once however often and however
 * simultaneously it arrives.
 */
export type RequestKey<T = unknown> = {
  readonly requestId: string;
  /** Full RPC name. */
  readonly method: string;
  /** Who asks: the same request id of another caller is another request. */
  readonly caller: string;
  readonly argumentHash: Uint8Array;
  readonly encodeAnswer: (answer: T) => Uint8Array;
  readonly decodeAnswer: (bytes: Uint8Array) => T;
};

/** What of the key the row holds. */
type RequestIdentity = Omit<RequestKey, 'encodeAnswer' | 'decodeAnswer'>;

export type Claim =
  | { readonly kind: 'first' }
  | { readonly kind: 'answered'; readonly answer: Uint8Array };

/**
 * Takes the request for this transaction, or finds its stored answer. While another transaction
 * holds the same request this waits for it (PostgreSQL: lock_timeout; SQLite: transactions are
 * serial anyway).
 */
export const claimRequest = async (
  transaction: Kysely<SharedTables>,
  key: RequestIdentity,
  nowMs: number,
): Promise<Claim> => {
  const inserted = await transaction
    .insertInto('request')
    .values({
      caller: key.caller,
      request_id: key.requestId,
      method: key.method,
      argument_hash: key.argumentHash,
      created_ms: nowMs,
    })
    .onConflict((conflict) => conflict.columns(['caller', 'request_id']).doNothing())
    .executeTakeFirst();
  if (inserted.numInsertedOrUpdatedRows === 1n) {
    return { kind: 'first' };
  }
  return { kind: 'answered', answer: await answerOf(transaction, key) };
};

const answerOf = async (
  transaction: Kysely<SharedTables>,
  key: RequestIdentity,
): Promise<Uint8Array> => {
  const row = await transaction
    .selectFrom('request')
    .select(['method', 'argument_hash', 'answer'])
    .where('caller', '=', key.caller)
    .where('request_id', '=', key.requestId)
    .executeTakeFirst();
  if (row === undefined || row.answer === null) {
    // Swept away between the two statements: 24 hours old, so a client that still retries may
    // simply ask again.
    throw aborted('REQUEST_EXPIRED', 'The stored answer of this request has just expired; retry');
  }
  if (row.method !== key.method || !Buffer.from(row.argument_hash).equals(key.argumentHash)) {
    throw invalidArgument(
      'REQUEST_ID_REUSED',
      `Request id "${key.requestId}" was used before for ${row.method} with other arguments`,
      { metadata: { requestId: key.requestId, method: row.method } },
    );
  }
  return row.answer;
};

/** A request whose answer is known before its effect is written. */
export type AnsweredRequest<T> = {
  readonly key: RequestKey<T>;
  readonly actor: Actor;
  readonly answer: T;
};

/** Takes these requests with their answers; answers those that were answered before, by number. */
export const claimRequests = async <T>(
  transaction: Kysely<SharedTables>,
  asked: readonly AnsweredRequest<T>[],
  nowMs: number,
): Promise<ReadonlyMap<number, T>> => {
  const inserted = await transaction
    .insertInto('request')
    .values(
      asked.map(({ key, answer }) => ({
        caller: key.caller,
        request_id: key.requestId,
        method: key.method,
        argument_hash: key.argumentHash,
        answer: key.encodeAnswer(answer),
        created_ms: nowMs,
      })),
    )
    .onConflict((conflict) => conflict.columns(['caller', 'request_id']).doNothing())
    .returning(['caller', 'request_id'])
    .execute();
  const isFirst = new Set(inserted.map((row) => nameOf(row.caller, row.request_id)));
  const known = new Map<number, T>();
  for (const [at, { key }] of asked.entries()) {
    if (isFirst.has(nameOf(key.caller, key.requestId))) continue;
    known.set(at, key.decodeAnswer(await answerOf(transaction, key)));
  }
  return known;
};

const nameOf = (caller: string, requestId: string): string => `${requestId} ${caller}`;

export const storeAnswer = async (
  transaction: Kysely<SharedTables>,
  key: RequestIdentity,
  answer: Uint8Array,
): Promise<void> => {
  await transaction
    .updateTable('request')
    .set({ answer })
    .where('caller', '=', key.caller)
    .where('request_id', '=', key.requestId)
    .execute();
};
