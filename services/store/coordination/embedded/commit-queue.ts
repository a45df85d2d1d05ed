import type { DatabaseSync } from 'node:sqlite';
import { DomainError } from '../../../runtime/errors.ts';
import { coordinationUnavailable } from '../failures.ts';
import type { Revision, WatchEvent } from '../port.ts';
import { givenUp, type Job, toWaiting, type Waiting } from './queued-job.ts';
import type { Records } from './records.ts';

/** Jobs that share one commit, so that one fsync pays for all of them. */
const GROUP_MAX = 256;
/** Jobs that may wait; beyond it callers are refused instead of the memory growing. */
const QUEUE_MAX = 20_000;

export type CommitQueue = {
  readonly add: <T>(job: Job<T>) => Promise<T>;
  /** The newest one that is durable. What SQLite has beyond it nobody may be told yet. */
  readonly revision: () => Revision;
  /** Resolves when what SQLite has now is durable or given up; undefined = it is durable. */
  readonly settling: () => Promise<void> | undefined;
  /** Throws when the store is closed, by its user or by a failed sync. */
  readonly assertOpen: () => void;
  /** Commits what waits and refuses new jobs. */
  readonly close: () => Promise<void>;
};

type Deps = {
  readonly database: DatabaseSync;
  readonly records: Records;
  /** Resolves when what was committed is durable; undefined = there is nothing to wait for. */
  readonly sync: (() => Promise<void>) | undefined;
  /** Told of every revision that changed something, in order, after it is durable. */
  readonly publish: (revision: Revision, events: readonly WatchEvent[]) => void;
  /** Told when a sync has failed. Nothing can be committed any more. */
  readonly onSyncFailure: (error: unknown) => void;
};

/**
 * Group commit: jobs that arrive in one turn of the event loop, or while a group becomes durable,
 * are run in order in one SQLite transaction, each with its own revision, so that one sync pays for
 * all of them. The process works on while the disk does. Until then the group exists for nobody:
 * its jobs are not answered, readers wait (`settling`), watchers see no further than `revision`,
 * and no other group is begun, so that nothing is decided on what may be lost.
 */
export const openCommitQueue = (deps: Deps): CommitQueue => {
  const waiting: Waiting[] = [];
  let revision = deps.records.marks.read('current');
  let closed: DomainError | undefined;
  let scheduled = false;
  let settling: Promise<void> | undefined;

  const flush = (): void => {
    scheduled = false;
    if (settling !== undefined) return;
    const group = waiting.splice(0, GROUP_MAX);
    if (group.length === 0) return;
    const committed = commitGroup(deps, revision, group);
    if (deps.sync === undefined) finish(committed);
    else
      settling = deps.sync().then(
        () => finish(committed),
        (error: unknown) => breakDown(error, committed),
      );
  };
  const finish = (committed: Committed): void => {
    settling = undefined;
    revision = committed.revision;
    for (const change of committed.changes) deps.publish(change.revision, change.events);
    for (const job of committed.done) job.settle();
    schedule();
  };
  /** The kernel may have dropped the pages it could not write, so a second sync proves nothing. */
  const breakDown = (error: unknown, { done }: Committed): void => {
    settling = undefined;
    closed = coordinationUnavailable('The store is closed: its file could not be synced', error);
    for (const job of done) job.lose(error);
    for (const job of waiting.splice(0)) job.fail(closed);
    deps.onSyncFailure(error);
  };
  const schedule = (): void => {
    if (scheduled || settling !== undefined || waiting.length === 0) return;
    scheduled = true;
    setImmediate(flush);
  };
  const leave = (job: Waiting): void => {
    waiting.splice(waiting.indexOf(job), 1);
  };

  return {
    add: (job) => {
      if (closed !== undefined) return Promise.reject(closed);
      if (waiting.length >= QUEUE_MAX)
        return Promise.reject(coordinationUnavailable('Too many changes wait for the store'));
      if (job.signal?.aborted) return Promise.reject(givenUp(job.signal));
      const { queued, answer } = toWaiting(job, leave);
      waiting.push(queued);
      schedule();
      return answer;
    },
    revision: () => revision,
    settling: () => settling,
    assertOpen: () => {
      if (closed !== undefined) throw closed;
    },
    close: async () => {
      closed ??= coordinationUnavailable('The store is closed');
      while (settling !== undefined || waiting.length > 0) {
        await settling;
        flush();
      }
    },
  };
};

type Change = { readonly revision: Revision; readonly events: readonly WatchEvent[] };

/** What SQLite has and nobody was told of. */
type Committed = {
  /** Of the store, with it. */
  readonly revision: Revision;
  readonly changes: readonly Change[];
  readonly done: readonly Waiting[];
};

/** Runs the group; those of its jobs that failed have been told. */
const commitGroup = (
  { database, records }: Deps,
  before: Revision,
  group: readonly Waiting[],
): Committed => {
  const done: Waiting[] = [];
  const changes: Change[] = [];
  let revision = before;
  try {
    database.exec('BEGIN IMMEDIATE');
    for (const job of group) {
      const events = runJob(job, revision + 1n);
      if (events === undefined) continue;
      done.push(job);
      if (events.length === 0) continue;
      revision += 1n;
      events.forEach(records.apply);
      changes.push({ revision, events });
    }
    if (revision !== before) records.marks.write('current', revision);
  } catch (error) {
    // Nothing of the group was committed, so everyone in it may simply try again.
    rollBack(database);
    const failure = coordinationUnavailable('The store cannot write', error);
    for (const job of group) job.fail(failure);
    return { revision: before, changes: [], done: [] };
  }
  try {
    database.exec('COMMIT');
  } catch (error) {
    // A commit that failed half way leaves it open whether it will be there after a crash.
    rollBack(database);
    for (const job of done) job.lose(error);
    const current = records.marks.read('current');
    return { revision: current, changes: current === revision ? changes : [], done: [] };
  }
  return { revision, changes, done };
};

/** The events of the job, or undefined when it refused. */
const runJob = (job: Waiting, next: Revision): readonly WatchEvent[] | undefined => {
  try {
    return job.run(next);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    job.fail(error);
    return undefined;
  }
};

const rollBack = (database: DatabaseSync): void => {
  if (database.isTransaction) database.exec('ROLLBACK');
};
