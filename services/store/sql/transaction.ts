import { AsyncLocalStorage } from 'node:async_hooks';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { ControlledTransaction, Kysely } from 'kysely';
import { type Clock, OVER } from '../../runtime/clock.ts';
import { unavailable } from '../../runtime/errors.ts';
import type { Random } from '../../runtime/random.ts';
import type { StoreLimits } from './limits.ts';
import { type Actor, type AuditEntry, type Change, createNotes } from './notes.ts';
import type { Database, OpenTransaction } from './orm.ts';
import {
  type AnsweredRequest,
  claimRequest,
  claimRequests,
  type RequestKey,
  storeAnswer,
} from './request-row.ts';
import type { SharedTables } from './shared-tables.ts';
import { isConnectionLoss, isWorthRetrying, mapStoreError } from './store-error.ts';

/**
 * The one way to write: request row first, effect, change rows, audit rows, answer last, all in one
 * transaction that is run again as a whole when the database reports a collision. Hence `work` may
 * run more than once and must do nothing outside the transaction.
 */

export type { Actor, AuditEntry, Change };

export type Reader = {
  /** An entity manager of its own identity map. */
  readonly em: SqlEntityManager;
  /** The query builder for hot paths; names are those of tables and columns. */
  readonly kysely: <DB>() => Kysely<DB>;
};

export type Tx = Reader & {
  /**
   * Tells followers that an object changed; the last call for an object counts. Written after em's
   * flush.
   */
  readonly change: (change: Change) => void;
  readonly audit: (entry: AuditEntry) => void;
};

export type Transactions = {
  /**
   * Runs `work` and commits. With a key, a repeated request answers the stored answer. Errors: what
   * `work` throws; invalid_argument REQUEST_ID_REUSED; unavailable STORE_UNAVAILABLE, STORE_BUSY,
   * STORE_FULL (nothing was written) or OUTCOME_UNKNOWN (it may have been: repeat it with the same
   * request id).
   */
  readonly transaction: <T>(
    key: RequestKey<T> | undefined,
    actor: Actor,
    work: (tx: Tx) => Promise<T>,
  ) => Promise<T>;
  /**
   * Requests of one kind in one transaction: all are done or none, and one that was answered before
   * gets that answer. `write` gets a transaction for each of the others, by its number among the
   * asked. No request may be twice among them. Errors: as above, for all of them.
   */
  readonly transactionForAll: <T>(
    asked: readonly AnsweredRequest<T>[],
    write: (txs: ReadonlyMap<number, Tx>) => Promise<void>,
  ) => Promise<readonly T[]>;
  /** Runs reads outside any transaction: each statement sees what is committed when it starts. */
  readonly read: <T>(work: (reader: Reader) => Promise<T>) => Promise<T>;
};

export type TransactionDeps = {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: StoreLimits;
  /** Called after a commit that wrote changes. */
  readonly onChanges: () => void;
  /** Called with undefined after each commit, with the error when a transaction failed. */
  readonly onWrite: (failure: unknown) => void;
};

/**
 * One attempt's surroundings; `open` ends with it, whatever background work still holds the
 * context.
 */
type Scope = { open: boolean };
type Run<T> = {
  readonly key: RequestKey<T> | undefined;
  readonly actor: Actor;
  readonly work: (tx: Tx) => Promise<T>;
};
type Fill<T> = (transaction: OpenTransaction) => Promise<Result<T>>;

const RETRY_PAUSE_MS = 10;
/** Whoever was too slow for it is better not asked again at once. */
const LATE_RETRY_MS = 1_000;

export const createTransactions = (deps: TransactionDeps): Transactions => {
  const scopes = new AsyncLocalStorage<Scope>();
  const assertOutside = (what: string) => {
    if (scopes.getStore()?.open === true) {
      throw new Error(
        `${what} inside a transaction would wait for itself; use the tx it was given`,
      );
    }
  };
  const repeated = async <T>(filled: Fill<T>): Promise<T> => {
    assertOutside('store.transaction');
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await runOnce(deps, scopes, filled);
        deps.onWrite(undefined);
        return answer;
      } catch (error) {
        if (!isWorthRetrying(error) || attempt >= deps.limits.attemptsMax) {
          const mapped = mapStoreError(error);
          deps.onWrite(mapped);
          throw mapped;
        }
        await deps.clock.sleep(RETRY_PAUSE_MS * 2 ** attempt * deps.random.fraction());
      }
    }
  };
  return {
    transaction: (key, actor, work) =>
      repeated((transaction) => fill(deps, transaction, { key, actor, work })),
    transactionForAll: (asked, write) =>
      repeated((transaction) => fillForAll(deps, transaction, { asked, write })),
    read: async (work) => {
      assertOutside('store.read');
      const { manager } = lazyManager(deps.database);
      try {
        return await work({
          get em() {
            return manager();
          },
          kysely: <DB>() => deps.database.reader<DB>(),
        });
      } catch (error) {
        throw mapStoreError(error);
      }
    },
  };
};

const runOnce = async <T>(
  deps: TransactionDeps,
  scopes: AsyncLocalStorage<Scope>,
  filled: Fill<T>,
): Promise<T> => {
  const transaction = await deps.database.begin();
  const scope: Scope = { open: true };
  let result: Result<T>;
  try {
    result = await withinLimit(deps, () => scopes.run(scope, () => filled(transaction)));
  } catch (error) {
    await transaction.handle.rollback().execute();
    throw error;
  } finally {
    scope.open = false;
  }
  await commit(transaction.handle);
  if (result.changed) {
    deps.onChanges();
  }
  return result.answer;
};

type Result<T> = { readonly answer: T; readonly changed: boolean };

const fill = async <T>(
  deps: TransactionDeps,
  transaction: OpenTransaction,
  { key, actor, work }: Run<T>,
): Promise<Result<T>> => {
  const nowMs = deps.clock.now().getTime();
  const claim = key === undefined ? undefined : await claimRequest(transaction.handle, key, nowMs);
  if (key !== undefined && claim?.kind === 'answered') {
    return { answer: key.decodeAnswer(claim.answer), changed: false };
  }
  const { manager, flush } = lazyManager(deps.database, transaction);
  const notes = createNotes();
  const answer = await work({
    get em() {
      return manager();
    },
    kysely: transaction.kysely,
    change: notes.change,
    audit: notes.audit(actor),
  });
  await flush();
  await notes.write(transaction.handle, nowMs);
  if (key !== undefined) {
    await storeAnswer(transaction.handle, key, key.encodeAnswer(answer));
  }
  return { answer, changed: notes.changed() };
};

type ForAll<T> = {
  readonly asked: readonly AnsweredRequest<T>[];
  readonly write: (txs: ReadonlyMap<number, Tx>) => Promise<void>;
};

const fillForAll = async <T>(
  deps: TransactionDeps,
  transaction: OpenTransaction,
  { asked, write }: ForAll<T>,
): Promise<Result<readonly T[]>> => {
  const nowMs = deps.clock.now().getTime();
  const known = await claimRequests(transaction.handle, asked, nowMs);
  const { manager, flush } = lazyManager(deps.database, transaction);
  const notes = createNotes();
  const txOf = (actor: Actor): Tx => ({
    get em() {
      return manager();
    },
    kysely: transaction.kysely,
    change: notes.change,
    audit: notes.audit(actor),
  });
  const first = [...asked.entries()].filter(([at]) => !known.has(at));
  if (first.length > 0) await write(new Map(first.map(([at, { actor }]) => [at, txOf(actor)])));
  await flush();
  await notes.write(transaction.handle, nowMs);
  const answers = asked.map(({ answer }, at) => known.get(at) ?? answer);
  return { answer: answers, changed: notes.changed() };
};

/** Made when it is asked for: what uses the query builder alone does without, and it costs much. */
const lazyManager = (database: Database, transaction?: OpenTransaction) => {
  let em: SqlEntityManager | undefined;
  return {
    manager: (): SqlEntityManager => {
      if (em !== undefined) return em;
      em = database.fork();
      // Set and never reset: what still uses `em` after the end gets an error instead of a
      // transaction of its own.
      if (transaction !== undefined) em.setTransactionContext(transaction.handle);
      return em;
    },
    flush: async (): Promise<void> => em?.flush(),
  };
};

const commit = async (transaction: ControlledTransaction<SharedTables>): Promise<void> => {
  try {
    await transaction.commit().execute();
  } catch (error) {
    await transaction.rollback().execute();
    if (isConnectionLoss(error)) {
      throw unavailable(
        'OUTCOME_UNKNOWN',
        'The database connection broke during the commit; it may or may not have happened',
        { cause: error, retryAfterMs: 1_000 },
      );
    }
    throw error;
  }
};

/**
 * Ends the wait, not the work: that fails at its next statement, because the transaction is over
 * then.
 */
const withinLimit = async <T>(deps: TransactionDeps, work: () => Promise<T>): Promise<T> => {
  const done = new AbortController();
  const limit = deps.clock.sleep(deps.limits.transactionMs, done.signal).then((): never => {
    throw unavailable(
      'STORE_BUSY',
      `A transaction took longer than ${deps.limits.transactionMs} ms and was rolled back`,
      { retryAfterMs: LATE_RETRY_MS },
    );
  });
  limit.catch(() => undefined);
  try {
    return await Promise.race([work(), limit]);
  } finally {
    done.abort(OVER);
  }
};
