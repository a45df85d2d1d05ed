import type { Clock } from '../../runtime/clock.ts';
import { unavailable } from '../../runtime/errors.ts';

/**
 * First come, first served: one holder at a time, a bounded queue behind it and a bounded wait in
 * it. This is what makes one SQLite connection safe for concurrent transactions: whoever does not
 * hold the gate cannot reach the connection, so no outside statement ever lands in someone else's
 * open transaction.
 */
export type ConnectionGate = {
  /**
   * Resolves when the caller holds the gate; rejects with unavailable STORE_BUSY, or the signal's
   * reason.
   */
  readonly enter: (signal?: AbortSignal) => Promise<void>;
  readonly leave: () => void;
};

type GateOptions = {
  readonly clock: Clock;
  readonly waitMsMax: number;
  readonly waitersMax: number;
};

export const createConnectionGate = ({
  clock,
  waitMsMax,
  waitersMax,
}: GateOptions): ConnectionGate => {
  const waiting = new Set<() => void>();
  let held = false;
  const enter = async (signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    if (!held) {
      held = true;
      return;
    }
    if (waiting.size >= waitersMax) {
      throw busy(`${waitersMax} are waiting already`);
    }
    const turn = Promise.withResolvers<'mine'>();
    const admit = () => turn.resolve('mine');
    waiting.add(admit);
    const limit = new AbortController();
    const giveUp = signal === undefined ? limit.signal : AbortSignal.any([limit.signal, signal]);
    const timeout = clock.sleep(waitMsMax, giveUp).then(() => 'late' as const);
    try {
      if ((await Promise.race([turn.promise, timeout])) === 'late') {
        throw busy(`no turn within ${waitMsMax} ms`);
      }
    } catch (error) {
      // Removed here means that it was never admitted; otherwise the turn came in the same tick and
      // must be passed on.
      if (!waiting.delete(admit)) {
        leave();
      }
      throw error;
    } finally {
      timeout.catch(() => undefined);
      limit.abort();
    }
  };
  const leave = (): void => {
    const [next] = waiting;
    if (next === undefined) {
      held = false;
      return;
    }
    waiting.delete(next);
    next();
  };
  return { enter, leave };
};

const busy = (problem: string) =>
  unavailable('STORE_BUSY', `The database connection is taken: ${problem}`, { retryAfterMs: 200 });
