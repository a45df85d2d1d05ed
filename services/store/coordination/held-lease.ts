import type { Logger } from 'pino';
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Random } from '../../runtime/random.ts';
import type { Coordination, Lease } from './port.ts';
import { abortable, deadlineAfter, slept } from './waiting.ts';

export type CoordinationDeps = {
  readonly coordination: Coordination;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** A lease that is renewed until it is lost or given up. */
export type HeldLease = {
  readonly id: string;
  /**
   * Aborts, once, with the reason: before the store can have ended the lease, or on `stop`. Asked
   * for when the time is over, it is aborted, though no timer has had its turn yet: a process that
   * stood still acts on what came in before it looks at its timers.
   */
  readonly signal: AbortSignal;
  /** Stops renewing. Repeatable. */
  readonly stop: (reason: string) => void;
  /** Stops, and makes the keys vanish now. Never rejects, ends within one TTL. Repeatable. */
  readonly revoke: () => Promise<void>;
};

/** The part of a lease's time that its holder does not use. */
const MARGIN = 1 / 8;
const TOO_LATE = 'the lease could not be renewed in time';

/**
 * The holder's view of a lease must end before the store's. The store counts from when it received
 * the last renewal, so the holder counts from when it sent it, on the monotonic clock, and stops a
 * margin earlier. Whether the renewals fail, hang or are merely slow makes no difference.
 */
export const holdLease = async (
  deps: CoordinationDeps,
  ttlMs: number,
  signal: AbortSignal,
): Promise<HeldLease> => {
  const { coordination, clock } = deps;
  const sentAtMs = clock.monotonicMs();
  using limit = deadlineAfter(clock, ttlMs / 2, signal);
  const lease = await coordination.grantLease(ttlMs, limit.signal);
  const ending = new AbortController();
  const term = { renewedAtMs: sentAtMs };
  const lose = (reason: string): void => ending.abort(new Error(reason));
  const leftMs = (): number => term.renewedAtMs + lease.ttlMs * (1 - MARGIN) - clock.monotonicMs();

  const renewing = renew(deps, { lease, term, lose, signal: ending.signal });
  const watching = watchDeadline(deps, { leftMs, lose, signal: ending.signal });
  let revoking: Promise<void> | undefined;
  return {
    id: lease.id,
    get signal() {
      if (leftMs() <= 0) lose(TOO_LATE);
      return ending.signal;
    },
    stop: lose,
    revoke: () => {
      lose('the lease was given up');
      revoking ??= Promise.all([renewing, watching]).then(() => revoke(deps, lease));
      return revoking;
    },
  };
};

type Held = {
  readonly lease: Lease;
  readonly term: { renewedAtMs: number };
  readonly lose: (reason: string) => void;
  readonly signal: AbortSignal;
};

/** Renews every third of the TTL, and a failed renewal again after a tenth. */
const renew = async (
  deps: CoordinationDeps,
  { lease, term, lose, signal }: Held,
): Promise<void> => {
  const { clock, random, log } = deps;
  let waitMs = lease.ttlMs / 3;
  while (await slept(clock, waitMs * (0.9 + random.fraction() / 10), signal)) {
    const sentAtMs = clock.monotonicMs();
    using limit = deadlineAfter(clock, lease.ttlMs / 3, signal);
    try {
      // A store that ignores the signal must not keep the next renewal from being sent.
      await abortable(lease.keepAlive(limit.signal), limit.signal);
      term.renewedAtMs = sentAtMs;
      waitMs = lease.ttlMs / 3;
    } catch (error) {
      if (signal.aborted) return;
      log.debug({ err: error, lease: lease.id }, 'lease renewal failed');
      if (isDomainError(error, 'failed_precondition', 'LEASE_LOST')) lose('the lease has ended');
      waitMs = lease.ttlMs / 10;
    }
  }
};

type Deadline = Pick<Held, 'lose' | 'signal'> & { readonly leftMs: () => number };

const watchDeadline = async (
  { clock }: CoordinationDeps,
  { leftMs, lose, signal }: Deadline,
): Promise<void> => {
  for (;;) {
    const ms = leftMs();
    if (ms <= 0) return lose(TOO_LATE);
    if (!(await slept(clock, ms, signal))) return;
  }
};

const revoke = async ({ clock, log }: CoordinationDeps, lease: Lease): Promise<void> => {
  using limit = deadlineAfter(clock, lease.ttlMs);
  try {
    await abortable(lease.revoke(limit.signal), limit.signal);
  } catch (error) {
    // The store ends it by itself when its time is over.
    log.debug({ err: error, lease: lease.id }, 'lease could not be revoked');
  }
};
