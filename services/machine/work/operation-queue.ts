/**
 * Which operations to look at: woken by the change feed and by the code that wrote them, each at
 * most once at a time. A wake during a run means one more run. What is lost (an overflow, a crash)
 * is found by the slow sweep over what is due. Those that somebody waits for, because they have yet
 * to get their place, go first; a few of the others go on beside them.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';

export type OperationQueue = {
  readonly wake: (uid: string) => void;
  /** Of one that was just accepted and is to get its place. */
  readonly wakeFirst: (uid: string) => void;
  /** Whether there are such ones beside that. */
  readonly hasFirst: (uid: string) => boolean;
  readonly isRunning: (uid: string) => boolean;
  /** Works until the signal aborts and what runs has ended. */
  readonly work: (signal: AbortSignal) => Promise<void>;
};

type Deps = {
  readonly run: (uid: string, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly concurrencyMax: number;
};

const WAITING_MAX = 10_000;
const PAUSE_MS = 500;
const BESIDE_FIRST_MAX = 4;

export const createOperationQueue = (deps: Deps): OperationQueue => {
  const waiting = new Set<string>();
  const first = new Set<string>();
  const running = new Map<string, Promise<void>>();
  const runningFirst = new Set<string>();
  const again = new Set<string>();
  let bell = Promise.withResolvers<void>();
  const wakeIn = (queue: Set<string>, uid: string): void => {
    if (running.has(uid)) again.add(uid);
    else if (first.size + waiting.size < WAITING_MAX && !first.has(uid)) queue.add(uid);
    bell.resolve();
  };
  const wake = (uid: string): void => wakeIn(waiting, uid);
  const start = (uid: string, signal: AbortSignal): void => {
    waiting.delete(uid);
    if (first.delete(uid)) runningFirst.add(uid);
    const done = runOne(deps, uid, signal).finally(() => {
      running.delete(uid);
      runningFirst.delete(uid);
      if (again.delete(uid)) wake(uid);
      bell.resolve();
    });
    running.set(uid, done);
  };
  const room = (): number => {
    const left = deps.concurrencyMax - running.size;
    if (first.size === 0 && runningFirst.size === 0) return left;
    return Math.min(left, BESIDE_FIRST_MAX - (running.size - runningFirst.size));
  };
  const startAll = (signal: AbortSignal): void => {
    for (const uid of first) {
      if (running.size >= deps.concurrencyMax) break;
      start(uid, signal);
    }
    for (const uid of waiting) {
      if (room() <= 0) break;
      start(uid, signal);
    }
  };
  const work = async (signal: AbortSignal): Promise<void> => {
    const onAbort = () => bell.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!signal.aborted) {
      bell = Promise.withResolvers<void>();
      startAll(signal);
      await bell.promise;
    }
    await Promise.all(running.values());
  };
  return {
    wake,
    wakeFirst: (uid) => wakeIn(first, uid),
    hasFirst: (uid) => first.size + runningFirst.size - (runningFirst.has(uid) ? 1 : 0) > 0,
    work,
    isRunning: (uid) => running.has(uid),
  };
};

const runOne = async (deps: Deps, uid: string, signal: AbortSignal): Promise<void> => {
  try {
    await deps.run(uid, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (isDomainError(error, 'unavailable')) {
      deps.log.warn({ err: error, operation: uid }, 'operation cannot go on now');
    } else deps.log.error({ err: error, operation: uid }, 'operation failed unexpectedly');
    // The sweep finds it again when it is due; this pause keeps a broken one from taking all turns.
    await deps.clock.sleep(PAUSE_MS, signal).catch(() => undefined);
  }
};
