import type { Compare } from './port.ts';

/**
 * A leader holds a key under its lease. Whatever it writes compares `fence`, so a stale leader can
 * write nothing. `signal` aborts once, when leadership ends for any reason, before the store could
 * give the key to another; ask for it again before each answer that no write goes along with, since
 * only then it is sure to know the time.
 */
export type Leadership = {
  readonly key: string;
  /** Comparison that must be part of every transaction written under this leadership. */
  readonly fence: Compare;
  readonly signal: AbortSignal;
  /** Ends the leadership and gives the key up, so that nobody waits for the lease. Repeatable. */
  readonly resign: () => Promise<void>;
};

export type Campaign = {
  /** Key to hold; its value is `address`, so that others find the leader. */
  readonly key: string;
  readonly address: string;
  /** How long the key outlives a leader that is cut off. etcd: whole seconds. */
  readonly leaseTtlMs: number;
  /**
   * How long to leave a free key to others before standing for it, asked each time; absent = stand
   * at once.
   */
  readonly patienceMs?: () => number;
  /**
   * Called on every gain of leadership; its promise ends with the leadership: when it resolves
   * the key is given up and the campaign goes on. An exception is logged and resigns.
   */
  readonly lead: (leadership: Leadership) => Promise<void>;
  /** Ends the campaign; a leader resigns. */
  readonly signal: AbortSignal;
};
