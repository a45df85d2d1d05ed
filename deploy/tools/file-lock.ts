import { DatabaseSync } from 'node:sqlite';
import { type Clock, systemClock } from '../../services/runtime/clock.ts';

/**
 * A lock between processes (and between worker threads of one) that the kernel takes back when its
 * holder dies: an exclusive transaction on an empty SQLite file. A file with a pid in it cannot do
 * that for worker threads, which share one pid.
 */
export type HeldLock = Disposable & { readonly release: () => void };

export type LockOptions = {
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Called once when the lock is held by someone else. */
  readonly onWait?: () => void;
};

const POLL_MS = 100;

/** Takes the first free one of `files`; throws when none was free within the limit. */
export const takeLock = async (
  files: readonly string[],
  { limitMs, signal, clock = systemClock, onWait }: LockOptions,
): Promise<HeldLock> => {
  const until = clock.monotonicMs() + limitMs;
  for (let attempt = 0; ; attempt += 1) {
    for (const file of files) {
      const held = tryLock(file);
      if (held !== undefined) return held;
    }
    if (attempt === 0) onWait?.();
    if (clock.monotonicMs() >= until) {
      throw new Error(`Cannot lock ${files.join(' or ')}: still held after ${limitMs} ms`);
    }
    await clock.sleep(POLL_MS, signal);
  }
};

/** Undefined when another holds it. */
export const tryLock = (file: string): HeldLock | undefined => {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    database.exec('ROLLBACK');
    database.close();
  };
  return { release, [Symbol.dispose]: release };
};

const SQLITE_BUSY = 5;

const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
