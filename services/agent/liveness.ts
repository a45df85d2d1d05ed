import { type Clock, OVER } from '../runtime/clock.ts';

/**
 * Whether what this agent holds is what is wanted now: its session is up, all was told, and it was
 * not frozen since it heard the control plane last. One that was stopped for a while (SIGSTOP, a
 * suspended host, a swapped-out process) wakes up with assignments that another agent may have by
 * now; until it hears again it changes nothing.
 */
export type Liveness = {
  /** A session was accepted. */
  readonly began: () => void;
  /** All that differs was told in this session. */
  readonly synced: () => void;
  /** The session ended. */
  readonly ended: () => void;
  /** Something came from the control plane. */
  readonly heard: () => void;
  readonly isOnline: () => boolean;
  /** Number of the session, also before all was told in it; undefined = there is none, or stale. */
  readonly session: () => number | undefined;
};

const PULSE_MS = 1_000;
/** Longer than a loaded host makes a process wait. */
const FROZEN_MS = 5_000;

export const createLiveness = (clock: Clock, signal: AbortSignal): Liveness => {
  let sessions = 0;
  let isUp = false;
  let isSynced = false;
  let isStale = false;
  let pulseAtMs = clock.monotonicMs();
  const look = (): void => {
    const nowMs = clock.monotonicMs();
    if (nowMs - pulseAtMs > FROZEN_MS) isStale = true;
    pulseAtMs = nowMs;
  };
  const beat = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(PULSE_MS, signal);
      look();
    }
  };
  beat().catch((error: unknown) => {
    if (!signal.aborted && error !== OVER) throw error;
  });
  return {
    synced: () => {
      isSynced = true;
    },
    began: () => {
      sessions += 1;
      isUp = true;
    },
    ended: () => {
      isUp = false;
      isSynced = false;
    },
    heard: () => {
      look();
      isStale = false;
    },
    isOnline: () => {
      look();
      return isSynced && !isStale;
    },
    session: () => {
      look();
      return isUp && !isStale ? sessions : undefined;
    },
  };
};
