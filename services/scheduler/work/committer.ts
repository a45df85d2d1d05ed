/**
 * The commit protocol of a leader. One transaction is in flight at a time. It compares the fence
 * and the head as this leader left it, and puts the next head with a nonce. etcd does not say
 * whether a transaction was applied whose answer got lost, so the identical one is sent again until
 * it is known: a copy that comes too late is refused by the head, and the nonce there tells that an
 * earlier copy was applied.
 */
import { isDomainError } from '../../runtime/errors.ts';
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import type { Leadership } from '../../store/coordination/leadership-port.ts';
import type { Compare, KeyValue, Transaction, Write } from '../../store/coordination/port.ts';
import { backOff, deadlineAfter, slept } from '../../store/coordination/waiting.ts';
import { headKey, logKey } from '../domain/keys.ts';
import { decodeHead, encodeHead, encodeLog, type Head } from '../domain/record-format.ts';

export type Batch = {
  readonly writes: readonly Write[];
  /** JSON of the log entries. */
  readonly entries: readonly string[];
  readonly atMs: number;
  /** Told of the head by which the commit will be known, before it is sent. */
  readonly onHead: (head: Head) => void;
};

export type CommitResult =
  | { readonly kind: 'committed'; readonly revision: bigint; readonly head: Head }
  /**
   * Leadership is over. `applied` is known only when no copy is left whose outcome nobody learned.
   */
  | { readonly kind: 'lost'; readonly applied: 'no' | 'unknown' };

export type Committer = {
  /** Number that the next commit will have. */
  readonly nextNumber: () => number;
  /** Writes of the head and the log are added. After `lost` nothing more can be committed. */
  readonly commit: (batch: Batch) => Promise<CommitResult>;
};

/** Head and log stand beside the other writes of a batch. */
export const OWN_WRITES = 2;
/** A copy without an answer after this long is given up and sent again. */
const COPY_LIMIT_MS = 5_000;

export type CommitterOptions = {
  readonly partition: string;
  readonly leadership: Leadership;
  /** As it was when the leadership began; undefined = nothing was ever committed. */
  readonly head: { readonly head: Head; readonly revision: bigint } | undefined;
};

export const createCommitter = (deps: CoordinationDeps, options: CommitterOptions): Committer => {
  const { partition, leadership } = options;
  let number = options.head?.head.number ?? 0;
  let headRevision = options.head?.revision ?? 0n;
  return {
    nextNumber: () => number + 1,
    commit: async (batch) => {
      const head = { number: number + 1, atMs: batch.atMs, nonce: deps.random.uid() };
      const unchanged: Compare = {
        key: headKey(partition),
        target: 'modRevision',
        equals: headRevision,
      };
      const { entries, atMs } = batch;
      batch.onHead(head);
      const transaction: Transaction = {
        compare: [leadership.fence, unchanged],
        writes: [
          ...batch.writes,
          { put: headKey(partition), value: encodeHead(head) },
          {
            put: logKey(partition, head.number),
            value: encodeLog({ number: head.number, atMs, entries }),
          },
        ],
      };
      const sent = await sendUntilKnown(deps, leadership.signal, { partition, transaction, head });
      if (sent.kind === 'lost') return sent;
      number = head.number;
      headRevision = sent.revision;
      return { ...sent, head };
    },
  };
};

type Sending = {
  readonly partition: string;
  readonly transaction: Transaction;
  readonly head: Head;
};

type Sent =
  | { readonly kind: 'committed'; readonly revision: bigint }
  | { readonly kind: 'lost'; readonly applied: 'no' | 'unknown' };

const sendUntilKnown = async (
  deps: CoordinationDeps,
  signal: AbortSignal,
  { partition, transaction, head }: Sending,
): Promise<Sent> => {
  const { clock, coordination, log, random } = deps;
  const pause = backOff(random, { firstMs: 20, mostMs: 1000 });
  let isOpen = false;
  while (!signal.aborted) {
    using limit = deadlineAfter(clock, COPY_LIMIT_MS, signal);
    try {
      const { succeeded, revision } = await coordination.transact(transaction, limit.signal);
      if (succeeded) return { kind: 'committed', revision };
      const found = await coordination.get(headKey(partition), limit.signal);
      const ours = ownHead(found, head);
      if (ours !== undefined) return { kind: 'committed', revision: ours };
      // The fence or the head belongs to another. An open copy may have been applied before that.
      return { kind: 'lost', applied: isOpen ? 'unknown' : 'no' };
    } catch (error) {
      if (!isDomainError(error, 'unavailable')) throw error;
      if (error.reason === 'OUTCOME_UNKNOWN') isOpen = true;
      log.debug({ err: error, partition, number: head.number }, 'commit has no answer, sent again');
    }
    await slept(clock, pause.nextMs(), signal);
  }
  return { kind: 'lost', applied: isOpen ? 'unknown' : 'no' };
};

/** Revision of the commit when the stored head is the one that it put. */
const ownHead = (found: KeyValue | undefined, head: Head): bigint | undefined => {
  if (found === undefined) return undefined;
  return decodeHead(found.value).nonce === head.nonce ? found.modRevision : undefined;
};
