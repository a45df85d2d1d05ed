/**
 * Reads that must at least hold a revision: this replica waits for it, not for long, and then the
 * leader of the partition is asked.
 */
import type { HandlerContext } from '@connectrpc/connect';
import { callOf } from '../../runtime/context.ts';
import { type DomainError, unavailable } from '../../runtime/errors.ts';
import { deadlineAfter } from '../../store/coordination/waiting.ts';
import type { PartitionView } from '../ports.ts';
import type { RpcDeps } from './deps.ts';
import { isRelayed } from './origin.ts';

const WAIT_MS_MAX = 3_000;

export type Wanted = {
  readonly views: readonly PartitionView[];
  /** 0 = whatever is there. */
  readonly revision: bigint;
};

/**
 * True when the views hold the revision; false when the leader should be asked. Errors: unavailable
 * REVISION_NOT_REACHED when asking the leader would not help.
 */
export const isReached = async (
  deps: RpcDeps,
  context: HandlerContext,
  { views, revision }: Wanted,
): Promise<boolean> => {
  const isHere = (): boolean => views.every((view) => view.revision() >= revision);
  if (isHere()) return true;
  const call = callOf(context);
  const { signal } = call;
  // Half of what is left stays for the leader.
  const waitMs = Math.min(WAIT_MS_MAX, (call.remainingMs() ?? Infinity) / 2);
  using limit = deadlineAfter(deps.clock, waitMs, signal);
  await deps.reading.untilRevision(revision, limit.signal).catch(() => undefined);
  signal.throwIfAborted();
  if (isHere()) return true;
  const [only, ...others] = views;
  const isElsewhere =
    only !== undefined &&
    others.length === 0 &&
    !isRelayed(context) &&
    deps.leaders.addressOf(only.partition) !== undefined;
  if (isElsewhere) return false;
  throw notReached(revision);
};

const notReached = (revision: bigint): DomainError =>
  unavailable(
    'REVISION_NOT_REACHED',
    `Revision ${revision} has not been seen here yet; ask again, or without min_revision`,
    { metadata: { revision: String(revision) }, retryAfterMs: 500 },
  );
