import { AsyncLocalStorage } from 'node:async_hooks';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { ControlledTransaction, Kysely } from 'kysely';
import { type Clock, OVER } from '../../runtime/clock.ts';
import { unavailable } from '../../runtime/errors.ts';
import type { Random } from '../../runtime/random.ts';
import { insertRows } from './insert-rows.ts';
import type { StoreLimits } from './limits.ts';
import type { Database, OpenTransaction } from './orm.ts';
import { claimRequest, type RequestKey, storeAnswer } from './request-row.ts';
import type { SharedTables } from './shared-tables.ts';
import { isConnectionLoss, isWorthRetrying, mapStoreError } from './store-error.ts';

/**
 * The one way to write: request row first, effect, change rows, audit rows, answer last, all in one
 * transaction that is run again as a whole when the database reports a collision. Hence `work` may
 * run more than once and must do nothing outside the transaction.
 */

/** Who is acting, for the audit row. */
export type Actor = {
  readonly principal: string;
  /** The person or project a service acts for; absent = for itself. */
  readonly onBehalfOf?: string;
  readonly requestId: string;
};

export type Change = {
  /** What kind of object; followers choose by it. */
  readonly kind: string;
  readonly uid: string;
  /** Absent = belongs to no project. */
  readonly projectUid?: string;
  readonly deleted?: boolean;
};

export type AuditEntry = {
  /** What was done, e.g. `provider.create`. */
  readonly action: string;
  readonly objectKind: string;
  readonly objectUid: string;
  readonly objectName: string;
  readonly projectUid?: string;
  readonly partition?: string;
  /** State before and after as JSON-like values without secrets; absent = there was none. */
  readonly before?: unknown;
  readonly after?: unknown;
};

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

const RETRY_PAUSE_MS = 10;

export const createTransactions = (deps: TransactionDeps): Transactions => {
  const scopes = new AsyncLocalStorage<Scope>();
  const assertOutside = (what: string) => {
    if (scopes.getStore()?.open === true) {
      throw new Error(
        `${what} inside a transaction would wait for itself; use the tx it was given`,
      );
    }
  };
  return {
    transaction: async (key, actor, work) => {
      assertOutside('store.transaction');
      for (let attempt = 1; ; attempt += 1) {
        try {
          const answer = await runOnce(deps, scopes, { key, actor, work });
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
    },
    read: async (work) => {
      assertOutside('store.read');
      const em = deps.database.fork();
      try {
        return await work({ em, kysely: <DB>() => deps.database.reader<DB>() });
      } catch (error) {
        throw mapStoreError(error);
      }
    },
  };
};

const runOnce = async <T>(
  deps: TransactionDeps,
  scopes: AsyncLocalStorage<Scope>,
  run: Run<T>,
): Promise<T> => {
  const transaction = await deps.database.begin();
  const scope: Scope = { open: true };
  let result: Result<T>;
  try {
    result = await withinLimit(deps, () => scopes.run(scope, () => fill(deps, transaction, run)));
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
  const em = deps.database.fork();
  // Set and never reset: what still uses `em` after the end gets an error instead of a transaction
  // of its own.
  em.setTransactionContext(transaction.handle);
  const notes = createNotes();
  const answer = await work({
    em,
    kysely: transaction.kysely,
    change: notes.change,
    audit: notes.audit,
  });
  await em.flush();
  await notes.write(transaction.handle, actor, nowMs);
  if (key !== undefined) {
    await storeAnswer(transaction.handle, key, key.encodeAnswer(answer));
  }
  return { answer, changed: notes.changed() };
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
    );
  });
  limit.catch(() => undefined);
  try {
    return await Promise.race([work(), limit]);
  } finally {
    done.abort(OVER);
  }
};

const createNotes = () => {
  const changes = new Map<string, Change>();
  const entries: AuditEntry[] = [];
  return {
    change: (change: Change): void => {
      changes.set(`${change.kind}/${change.uid}`, change);
    },
    audit: (entry: AuditEntry): void => {
      entries.push(entry);
    },
    changed: () => changes.size > 0,
    write: async (transaction: Kysely<SharedTables>, actor: Actor, nowMs: number) => {
      await insertRows(transaction, {
        table: 'change',
        columns: CHANGE_COLUMNS,
        rows: [...changes.values()].map((change) => changeRow(change, nowMs)),
      });
      await insertRows(transaction, {
        table: 'audit',
        columns: AUDIT_COLUMNS,
        rows: entries.map((entry) => auditRow(entry, actor, nowMs)),
      });
    },
  };
};

const CHANGE_COLUMNS = {
  kind: 'text',
  uid: 'text',
  project_uid: 'text',
  deleted: 'bigint',
  at_ms: 'bigint',
} as const;

const AUDIT_COLUMNS = {
  at_ms: 'bigint',
  principal: 'text',
  on_behalf_of: 'text',
  request_id: 'text',
  action: 'text',
  object_kind: 'text',
  object_uid: 'text',
  object_name: 'text',
  project_uid: 'text',
  partition: 'text',
  before: 'text',
  after: 'text',
} as const;

const changeRow = (change: Change, nowMs: number) => ({
  kind: change.kind,
  uid: change.uid,
  project_uid: change.projectUid ?? null,
  deleted: change.deleted === true ? 1 : 0,
  at_ms: nowMs,
});

const auditRow = (entry: AuditEntry, actor: Actor, nowMs: number) => ({
  at_ms: nowMs,
  principal: actor.principal,
  on_behalf_of: actor.onBehalfOf ?? null,
  request_id: actor.requestId,
  action: entry.action,
  object_kind: entry.objectKind,
  object_uid: entry.objectUid,
  object_name: entry.objectName,
  project_uid: entry.projectUid ?? null,
  partition: entry.partition ?? null,
  before: jsonText(entry.before),
  after: jsonText(entry.after),
});

const jsonText = (value: unknown): string | null => {
  if (value === undefined) return null;
  try {
    return JSON.stringify(value);
  } catch {
    // A whole number of 64 bits. To look for one everywhere costs several times the rest.
    return JSON.stringify(value, (_, field) => (typeof field === 'bigint' ? String(field) : field));
  }
};
