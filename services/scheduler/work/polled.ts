/**
 * Something of another service that has no watch: read again and again, and at once when something
 * is missed. While the other side is away the last that was read stays.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { abortable, slept } from '../../store/coordination/waiting.ts';
import { isUnimplemented } from './followed-watch.ts';

export type PolledNoun<T> = {
  /** For the log, for example "partitions". */
  readonly what: string;
  readonly read: (timeoutMs: number) => Promise<T>;
  /** What there is at a service of an older version, that does not know the call. */
  readonly unknown?: () => T;
  /** Called after each reading. */
  readonly onRead?: (value: T, before: T | undefined) => void;
};

export type Polled<T> = {
  /** undefined = it was never read. */
  readonly value: () => T | undefined;
  /** Reads it, later than now. Errors: unavailable. */
  readonly look: (signal: AbortSignal) => Promise<T>;
  /** Reads it again and again until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

const PAUSE_MS = 5_000;
const FIRST_PAUSE_MS = 200;
const CALL_MS = 5_000;

export const createPolled = <T>(
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  noun: PolledNoun<T>,
): Polled<T> => {
  let known: { readonly value: T } | undefined;
  let looking: Promise<T> | undefined;
  let next: Promise<T> | undefined;

  const readOnce = async (): Promise<T> => {
    const value = await asDomain(noun.read(CALL_MS)).catch((error: unknown) => {
      if (noun.unknown === undefined || !isUnimplemented(error)) throw error;
      return noun.unknown();
    });
    const before = known?.value;
    known = { value };
    noun.onRead?.(value, before);
    return value;
  };
  const start = (): Promise<T> => {
    looking = readOnce().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  /**
   * A look that is under way may have missed what the caller asks for: it waits for the next one,
   * which serves everybody who asks meanwhile.
   */
  const look = (): Promise<T> => {
    if (looking === undefined) return start();
    next ??= looking
      .then(
        () => undefined,
        () => undefined,
      )
      .then(() => {
        next = undefined;
        return looking ?? start();
      });
    return next;
  };

  return {
    value: () => known?.value,
    look: (signal) => abortable(look(), signal),
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          await abortable(looking ?? start(), signal);
        } catch (error) {
          if (signal.aborted) return;
          log.debug({ err: error, what: noun.what }, 'cannot be read now');
        }
        await slept(clock, known === undefined ? FIRST_PAUSE_MS : PAUSE_MS, signal);
      }
    },
  };
};
