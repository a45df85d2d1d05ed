import type { Clock } from '../../../runtime/clock.ts';
import { invalidArgument } from '../../../runtime/errors.ts';
import type { Random } from '../../../runtime/random.ts';
import { coordinationUnavailable, futureRevision } from '../failures.ts';
import type { Coordination, Lease, Revision } from '../port.ts';
import { assertValidKey, assertValidRange, assertValidTransaction } from '../transaction-rules.ts';
import { abortable } from '../waiting.ts';
import { applyTransaction } from './apply-transaction.ts';
import { type CommitQueue, openCommitQueue } from './commit-queue.ts';
import { openDatabase } from './database.ts';
import { openJournal, type Sync, syncToDisk } from './journal.ts';
import { openLeases } from './leases.ts';
import { openRecords, type Records } from './records.ts';
import { openWatchers } from './watchers.ts';

/** Revisions that one step of a compaction covers. */
const COMPACTION_STEP = 64n;

const IN_MEMORY = ':memory:';

export type EmbeddedOptions = {
  /** SQLite file of its own, created when missing; ':memory:' ends with the process. */
  readonly file: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: { readonly error: (data: ErrorData, message: string) => void };
  /** Absent = as the kernel does it. Tests make it slow, or let it fail. */
  readonly sync?: Sync;
  /** Pages of the journal before they are copied to the file; absent = many. */
  readonly journalPages?: number;
  /** Told when the store has closed by itself, because it could not be synced. */
  readonly onBroken?: () => void;
};

type ErrorData = { readonly err: unknown; readonly file: string };

export type EmbeddedCoordination = Coordination & {
  /** That lease, whoever it was granted to. */
  readonly leaseOf: (id: string, ttlMs: number) => Lease;
};

/**
 * Coordination for one process, on SQLite. Everything that shares the store shares the returned
 * object: a second opening of the file is refused with failed_precondition STORE_IN_USE.
 */
export const openEmbeddedCoordination = (options: EmbeddedOptions): EmbeddedCoordination => {
  const { file, clock, random, log, sync = syncToDisk } = options;
  const { database, journal } = openFile(options, sync);
  const records = openRecords(database);
  const watchers = openWatchers(records, () => queue.revision());
  const queue = openCommitQueue({
    database,
    records,
    sync: journal?.sync,
    publish: watchers.publish,
    onSyncFailure: (error) => {
      log.error({ err: error, file }, 'the store closes: it cannot be synced');
      close()
        .catch((err: unknown) => log.error({ err, file }, 'the store could not be closed'))
        .then(() => options.onBroken?.());
    },
  });
  const onSweepFailure = (error: unknown) =>
    log.error({ err: error, file }, 'expired leases could not be swept');
  const leases = openLeases({ clock, random, records, queue, onSweepFailure });
  let closing: Promise<void> | undefined;

  // Reads are synchronous: a failing one rejects its own promise, never throws into the caller.
  const read = async <T>(signal: AbortSignal, ask: () => T): Promise<T> => {
    if (signal.aborted) throw coordinationUnavailable('Given up', signal.reason);
    queue.assertOpen();
    const answer = ask();
    // It may hold what a power cut would still take back.
    const settling = queue.settling();
    if (settling !== undefined) {
      await unlessGivenUp(settling, signal);
      queue.assertOpen();
    }
    return answer;
  };

  const close = (): Promise<void> => {
    closing ??= (async () => {
      watchers.close();
      await Promise.all([queue.close(), leases.close()]);
      database.close();
      journal?.close();
    })();
    return closing;
  };

  return {
    get: (key, signal) =>
      read(signal, () => {
        assertValidKey(key);
        return records.find(key);
      }),
    range: (range, signal) =>
      read(signal, () => {
        assertValidRange(range);
        return records.range(range);
      }),
    transact: async (transaction, signal) => {
      assertValidTransaction(transaction);
      const { isAlive } = leases;
      return queue.add({
        run: (next) => applyTransaction({ records, isAlive }, transaction, next),
        signal,
      });
    },
    grantLease: async (ttlMs, signal) => {
      if (!(ttlMs > 0)) throw invalidArgument('INVALID_TTL', `${ttlMs} ms is not a time to live`);
      return leases.grant(ttlMs, signal);
    },
    leaseOf: leases.of,
    watch: watchers.watch,
    compact: (revision, signal) => compact({ records, queue }, revision, signal),
    ping: (signal) => read(signal, () => void records.marks.read('current')),
    close,
  };
};

const openFile = ({ file, journalPages }: EmbeddedOptions, sync: Sync) => {
  const database = openDatabase(file, journalPages);
  try {
    return {
      database,
      journal: file === IN_MEMORY ? undefined : openJournal(database, file, sync),
    };
  } catch (error) {
    database.close();
    throw error;
  }
};

const unlessGivenUp = (settling: Promise<void>, signal: AbortSignal): Promise<void> =>
  abortable(settling, signal).catch((cause: unknown) => {
    throw coordinationUnavailable('Given up', cause);
  });

const compact = async (
  { records, queue }: { readonly records: Records; readonly queue: CommitQueue },
  revision: Revision,
  signal: AbortSignal,
): Promise<void> => {
  if (revision > queue.revision()) throw futureRevision();
  if (revision <= records.marks.read('compacted')) return;
  const step = (run: () => void) =>
    queue.add({ run: () => ({ value: run(), events: [] }), isRepeatable: true, signal });
  await step(() => {
    if (revision > records.marks.read('compacted')) records.marks.write('compacted', revision);
  });
  // What a crash leaves unswept, the next compaction sweeps.
  let swept = records.marks.read('swept');
  while (swept < revision) {
    const from = swept;
    const to = from + COMPACTION_STEP < revision ? from + COMPACTION_STEP : revision;
    await step(() => {
      records.forget(from, to);
      records.marks.write('swept', to);
    });
    swept = to;
  }
};
