import type { Compare } from './port.ts';

/**
 * A leader holds a key under its lease. Whatever it writes compares `fence`, so a stale leader can write nothing.
 * `signal` aborts when leadership ends for any reason, before the store could give the key to another.
 */
export type Leadership = {
  readonly key: string;
  /** Comparison that must be part of every transaction written under this leadership. */
  readonly fence: Compare;
  readonly signal: AbortSignal;
  readonly resign: () => Promise<void>;
};

export type Campaign = {
  /** Key to hold; its value is `address`, so that others find the leader. */
  readonly key: string;
  readonly address: string;
  readonly leaseTtlMs: number;
  /** Called on every gain of leadership; its promise ends with the leadership. An exception resigns. */
  readonly lead: (leadership: Leadership) => Promise<void>;
  readonly signal: AbortSignal;
};
