import { type Clock, nextTurn, OVER } from '../../runtime/clock.ts';
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

/**
 * SQLite answers without waiting, so that one holder after another would run in one turn of the
 * event loop: answers and requests of all others would lie in their sockets until nobody waits here
 * any more.
 */
const TURN_MS = 5;

export const createConnectionGate = ({
  clock,
  waitMsMax,
  waitersMax,
}: GateOptions): ConnectionGate => {
  const waiting = new Set<() => void>();
  let held = false;
  let turnEndsMs = Number.NEGATIVE_INFINITY;
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
      limit.abort(OVER);
    }
  };
  const leave = (): void => {
    const [next] = waiting;
    if (next === undefined) {
      held = false;
      return;
    }
    waiting.delete(next);
    if (clock.monotonicMs() < turnEndsMs) {
      next();
      return;
    }
    void nextTurn().then(() => {
      turnEndsMs = clock.monotonicMs() + TURN_MS;
      next();
    });
  };
  return { enter, leave };
};

const busy = (problem: string) =>
  unavailable('STORE_BUSY', `The database connection is taken: ${problem}`, { retryAfterMs: 200 });
