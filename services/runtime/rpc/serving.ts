import type { Clock } from '../clock.ts';
import type { Component } from '../process.ts';
import type { HealthBoard } from './health.ts';
import type { Mount } from './mount.ts';
import type { Pipeline } from './pipeline.ts';

export type ServingOptions = {
  readonly clock: Clock;
  readonly board: HealthBoard;
  readonly pipeline: Pipeline;
  /** Opens the listeners, once everything that they serve has started. */
  readonly mount: () => Promise<readonly Mount[]>;
  /** Told the listeners; for the ready block. */
  readonly onMounted?: (mounts: readonly Mount[]) => void;
  /**
   * How long load balancers get to notice that readiness is off before anything is refused; 0 =
   * none.
   */
  readonly noticeMs: number;
  readonly stopLimitMs?: number;
};

/**
 * The listeners as the last component to start and the first to stop: readiness off, wait for load
 * balancers, refuse new calls and end streams with DRAINING, let unary calls finish, close.
 */
export const servingComponent = (options: ServingOptions): Component => {
  const { board, clock } = options;
  let mounts: readonly Mount[] = [];
  return {
    name: 'listeners',
    stopLimitMs: options.stopLimitMs ?? options.noticeMs + 10_000,
    start: async () => {
      mounts = await options.mount();
      board.setAll(true);
      options.onMounted?.(mounts);
    },
    stop: async (signal) => {
      board.setAll(false);
      if (options.noticeMs > 0) await clock.sleep(options.noticeMs, signal).catch(() => undefined);
      await close(options, mounts, signal);
    },
  };
};

/** For answers that are still on their way when the last call has ended. */
const CLOSE_GRACE_MS = 2_000;

/** A connection that stays open without calls belongs to a client that is gone, or hostile. */
const close = async (
  { clock, pipeline }: ServingOptions,
  mounts: readonly Mount[],
  signal: AbortSignal,
): Promise<void> => {
  const impatient = new AbortController();
  const closed = new AbortController();
  const force = AbortSignal.any([signal, impatient.signal]);
  const closing = Promise.all(mounts.map((mount) => mount.stop(force)));
  await pipeline.drain(signal);
  clock
    .sleep(CLOSE_GRACE_MS, AbortSignal.any([signal, closed.signal]))
    .then(() => impatient.abort())
    .catch(() => undefined);
  await closing;
  closed.abort();
};
