import type { DatabaseSync } from 'node:sqlite';
import { DomainError } from '../../../runtime/errors.ts';
import { coordinationUnavailable, outcomeUnknown } from '../failures.ts';
import type { Revision, WatchEvent } from '../port.ts';
import type { Records } from './records.ts';

/** Jobs that share one commit, so that one fsync pays for all of them. */
const GROUP_MAX = 256;
/** Jobs that may wait; beyond it callers are refused instead of the memory growing. */
const QUEUE_MAX = 20_000;

/**
 * One change of the store. `run` is called inside the SQLite transaction with the revision that
 * its changes get, and gives the changes it wants; it throws a DomainError to refuse, and only
 * this job fails. `committed` is called once the changes are durable.
 */
export type Job<T> = {
  readonly run: (next: Revision) => { readonly value: T; readonly events: readonly WatchEvent[] };
  readonly committed?: (value: T) => void;
  readonly signal?: AbortSignal;
};

export type CommitQueue = {
  readonly add: <T>(job: Job<T>) => Promise<T>;
  readonly revision: () => Revision;
  /** Commits what waits, then refuses new jobs. */
  readonly close: () => void;
};

type Waiting = {
  readonly run: (next: Revision) => readonly WatchEvent[];
  readonly settle: () => void;
  readonly fail: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
};

type Deps = {
  readonly database: DatabaseSync;
  readonly records: Records;
  /** Told of every revision that changed something, in order, after it is durable. */
  readonly publish: (revision: Revision, events: readonly WatchEvent[]) => void;
};

/**
 * Group commit: node:sqlite is synchronous and a commit costs an fsync, so jobs that arrive in one
 * turn of the event loop are run in order in one SQLite transaction, each with its own revision,
 * and answered after the commit.
 */
export const openCommitQueue = ({ database, records, publish }: Deps): CommitQueue => {
  const waiting: Waiting[] = [];
  let revision = records.marks.read('current');
  let closed = false;
  let scheduled = false;

  const flush = (): void => {
    scheduled = false;
    const group = waiting.splice(0, GROUP_MAX).filter((job) => {
      if (!job.signal?.aborted) return true;
      job.fail(coordinationUnavailable('Given up before it was started', job.signal.reason));
      return false;
    });
    if (group.length > 0) revision = commitGroup({ database, records, publish }, revision, group);
    if (waiting.length > 0) schedule();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(flush);
  };

  return {
    add: (job) => {
      if (closed) return Promise.reject(coordinationUnavailable('The store is closed'));
      if (waiting.length >= QUEUE_MAX)
        return Promise.reject(coordinationUnavailable('Too many changes wait for the store'));
      const { queued, answer } = toWaiting(job);
      waiting.push(queued);
      schedule();
      return answer;
    },
    revision: () => revision,
    close: () => {
      closed = true;
      while (waiting.length > 0) flush();
    },
  };
};

const toWaiting = <T>(job: Job<T>): { queued: Waiting; answer: Promise<T> } => {
  const answer = Promise.withResolvers<T>();
  let value: { readonly is: T } | undefined;
  const queued: Waiting = {
    run: (next) => {
      const outcome = job.run(next);
      value = { is: outcome.value };
      return outcome.events;
    },
    settle: () => {
      if (value === undefined) return;
      job.committed?.(value.is);
      answer.resolve(value.is);
    },
    fail: answer.reject,
    signal: job.signal,
  };
  return { queued, answer: answer.promise };
};

type Change = { readonly revision: Revision; readonly events: readonly WatchEvent[] };

/** Runs the group and answers its jobs; gives the revision that the store then has. */
const commitGroup = (
  { database, records, publish }: Deps,
  before: Revision,
  group: readonly Waiting[],
): Revision => {
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
    return before;
  }
  try {
    database.exec('COMMIT');
  } catch (error) {
    // A failed fsync leaves it open whether the pages will be there after a crash.
    rollBack(database);
    for (const job of done) job.fail(outcomeUnknown(error));
    const current = records.marks.read('current');
    if (current === revision) publishAll(publish, changes);
    return current;
  }
  publishAll(publish, changes);
  for (const job of done) job.settle();
  return revision;
};

const publishAll = (publish: Deps['publish'], changes: readonly Change[]): void => {
  for (const change of changes) publish(change.revision, change.events);
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
