/**
 * How a process starts, runs and ends: components start in order and stop in reverse, each within
 * its limit; SIGTERM and SIGINT end it in an orderly way, a second one at once; what nobody handled
 * is logged and fatal.
 */
import type { Clock } from './clock.ts';
import { deadlineExceeded } from './errors.ts';
import type { Logger } from './log.ts';

export type Component = {
  readonly name: string;
  /** Resolves when it serves; its own work goes on. The signal aborts when the limit passes. */
  readonly start: (signal: AbortSignal) => Promise<void>;
  /**
   * Resolves when it has ended; must hurry once the signal aborts. Called only if `start` resolved.
   */
  readonly stop: (signal: AbortSignal) => Promise<void>;
  /** Absent = 60 000. */
  readonly startLimitMs?: number;
  /** Absent = 10 000. */
  readonly stopLimitMs?: number;
};

export type RunDeps = { readonly log: Logger; readonly clock: Clock };

/** Components that run. */
export type Running = {
  /** Stops all in reverse order; a failing one is logged and does not keep the others from it. */
  readonly stop: () => Promise<void>;
};

const ONE_CTRL_C_MS = 1_000;
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
/** What a component gets after its limit to close by force. */
const FORCE_MS = 2_000;

/** Starts in order. When one fails, those before it are stopped and its error is thrown. */
export const startComponents = async (
  { log, clock }: RunDeps,
  components: readonly Component[],
): Promise<Running> => {
  const started: Component[] = [];
  const stop = async () => {
    for (let one = started.pop(); one !== undefined; one = started.pop()) {
      await stopOne({ log, clock }, one);
    }
  };
  for (const component of components) {
    try {
      const limitMs = component.startLimitMs ?? START_LIMIT_MS;
      await limited({ name: component.name, verb: 'start', limitMs }, component.start);
      started.push(component);
    } catch (error) {
      await stop();
      throw error;
    }
  }
  return { stop };
};

const stopOne = async ({ log, clock }: RunDeps, component: Component): Promise<void> => {
  const limitMs = component.stopLimitMs ?? STOP_LIMIT_MS;
  const beganMs = clock.monotonicMs();
  try {
    await limited(
      { name: component.name, verb: 'stop', limitMs, graceMs: FORCE_MS },
      component.stop,
    );
    log.debug({ component: component.name, ms: clock.monotonicMs() - beganMs }, 'stopped');
  } catch (error) {
    log.error({ err: error, component: component.name }, 'component did not stop in order');
  }
};

type Limit = {
  readonly name: string;
  readonly verb: 'start' | 'stop';
  readonly limitMs: number;
  /** Time between the abort of the signal and giving up. */
  readonly graceMs?: number;
};

const limited = async (
  limit: Limit,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const { name, verb, limitMs, graceMs = 0 } = limit;
  const abort = new AbortController();
  const late = deadlineExceeded(
    'DEADLINE_EXCEEDED',
    `${name} did not ${verb} within ${limitMs / 1000} s`,
  );
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      abort.abort(late);
      timer = setTimeout(() => reject(late), graceMs);
    }, limitMs);
  });
  try {
    await Promise.race([run(abort.signal), expired]);
  } finally {
    clearTimeout(timer);
  }
};

export type ProcessOptions = {
  readonly components: readonly Component[];
  /** Called when everything has started. */
  readonly onStarted?: () => void;
  /** Ends the process as a signal would; for "--check" and for tests. */
  readonly end?: AbortSignal;
};

/**
 * Runs until SIGTERM, SIGINT or `end`, then stops in order. Answers the exit code: 0, or 1 when a
 * component failed to start or something unhandled happened. The caller exits with it.
 */
export const runProcess = async (deps: RunDeps, options: ProcessOptions): Promise<number> => {
  const { log } = deps;
  const ended = Promise.withResolvers<number>();
  let firstMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const nowMs = deps.clock.monotonicMs();
    // One Ctrl-C may come twice: from the terminal, and passed on by whoever started the process.
    if (firstMs !== undefined && nowMs - firstMs < ONE_CTRL_C_MS) return;
    log.info({ signal }, 'stopping');
    if (firstMs !== undefined) process.exit(130);
    firstMs = nowMs;
    ended.resolve(0);
  };
  const onFatal = (what: string) => (error: unknown) => {
    log.fatal({ err: error }, what);
    ended.resolve(1);
  };
  const onRejection = onFatal('unhandled rejection');
  const onException = onFatal('uncaught exception');
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  process.on('unhandledRejection', onRejection).on('uncaughtException', onException);
  options.end?.addEventListener('abort', () => ended.resolve(0), { once: true });
  try {
    const running = await startComponents(deps, options.components);
    if (options.end?.aborted) ended.resolve(0);
    options.onStarted?.();
    const code = await ended.promise;
    await running.stop();
    return code;
  } catch (error) {
    log.fatal({ err: error }, 'cannot start');
    return 1;
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
    process.off('unhandledRejection', onRejection).off('uncaughtException', onException);
  }
};
