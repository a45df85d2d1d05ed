/** Wakes operations: from the change feed, and by a slow sweep over what is due. */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ChangeEvent } from '../../store/sql/change-feed.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Records } from '../ports.ts';
import type { OperationQueue } from './operation-queue.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly queue: Pick<OperationQueue, 'wake' | 'isRunning'>;
  /** Tells those who wait for an operation. */
  readonly ring: (uid: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sweepMs: number;
};

const KINDS = ['operation', 'machine', 'agent'];
const DUE_MAX = 100;

/**
 * Wakes what changes point at; starts over from now when the feed is lost, because the sweep finds
 * the rest.
 */
export const followChanges = async (deps: Deps, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    try {
      const token = await deps.store.changes.head();
      for await (const batch of deps.store.changes.follow({ token, kinds: KINDS, signal })) {
        if (batch.changes.length > 0) await wakeFor(deps, batch.changes);
      }
    } catch (error) {
      if (signal.aborted) return;
      deps.log.warn({ err: error }, 'operations cannot follow the change feed');
      await deps.clock.sleep(deps.sweepMs, signal).catch(() => undefined);
    }
  }
};

const wakeFor = async (deps: Deps, changes: readonly ChangeEvent[]): Promise<void> => {
  const of = (kind: string) =>
    changes.filter((change) => change.kind === kind).map((change) => change.uid);
  for (const uid of of('operation')) deps.ring(uid);
  const asked = { uids: of('operation'), machineUids: of('machine'), agentUids: of('agent') };
  const open = await deps.store.read((reader) => deps.records.operations.open(reader, asked));
  const nowMs = deps.clock.now().getTime();
  for (const { uid, owner, leaseUntilMs } of open) {
    const isFree = owner === null || leaseUntilMs < nowMs;
    // One that runs here is looked at once more: what it read may be older than this change.
    if (isFree || deps.queue.isRunning(uid)) deps.queue.wake(uid);
  }
};

/** Deadlines, retries, operations of a replica that died and wakes that were lost. */
export const sweepDue = async (deps: Deps, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    try {
      const nowMs = deps.clock.now().getTime();
      const due = await deps.store.read((reader) =>
        deps.records.operations.due(reader, nowMs, DUE_MAX),
      );
      for (const uid of due) deps.queue.wake(uid);
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ err: error }, 'operations cannot be swept');
    }
    await deps.clock.sleep(deps.sweepMs, signal).catch(() => undefined);
  }
};
