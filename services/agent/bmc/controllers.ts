import { type Clock, OVER } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { BmcError } from '../bmc-port.ts';
import { paceAfter, type Sample, usualAfter } from '../domain/parallel-limit.ts';
import { type AspectChoice, type BmcAccess, createAccess } from './bmc-access.ts';
import type { BmcSessions } from './bmc-sessions.ts';
import type { ControllerRef } from './controller-ref.ts';
import { createPermits } from './permits.ts';

/**
 * Work on controllers: one at a time on each, so many at once in all as they answer well, each
 * bounded in time and in number. A controller that says "busy" is asked again, slower and slower,
 * while there is time.
 */
export type Controllers = {
  readonly run: <T>(
    ref: ControllerRef,
    job: BmcJob,
    work: (access: BmcAccess, signal: AbortSignal) => Promise<T>,
  ) => Promise<T>;
  /** How many controllers may be worked on at once now. */
  readonly limit: () => number;
};

export type BmcJob = {
  /** What is done, for what it usually takes there. */
  readonly kind: string;
  /** How long it may wait for its turn. */
  readonly beginWithinMs: number;
  /** How long it may take from its begin. */
  readonly timeoutMs: number;
  /** Doing it twice does no more than doing it once. */
  readonly isRepeatable: boolean;
  /** Called once, when its turn has come. */
  readonly begins?: () => void;
  readonly signal: AbortSignal;
};

export class TurnNeverCame extends Error {
  override readonly name = 'TurnNeverCame';
}

type Line = {
  /** Resolves when those before are through. */
  tail: Promise<void>;
  waiting: number;
  paceMs: number;
  readyAtMs: number;
  readonly usualMs: Map<string, number>;
  readonly choice: AspectChoice;
};

type Deps = { readonly sessions: BmcSessions; readonly clock: Clock; readonly log: Logger };

const WAITING_MAX = 32;
const LINES_MAX = 20_000;
/** What a driver may take to end after its signal, before its session is given up. */
const GRACE_MS = 3_000;
const BUSY_PAUSES_MS = [250, 500, 1_000, 2_000, 4_000, 8_000] as const;

export const createControllers = (deps: Deps): Controllers => {
  const permits = createPermits(deps.clock);
  const lines = new Map<string, Line>();
  const lineOf = (key: string): Line => {
    const present = lines.get(key) ?? newLine();
    lines.delete(key);
    lines.set(key, present);
    for (const [other, line] of lines) {
      if (lines.size <= LINES_MAX) break;
      if (line.waiting === 0) lines.delete(other);
    }
    return present;
  };
  return {
    limit: permits.limit,
    run: async (ref, job, work) => {
      const line = lineOf(ref.key);
      if (line.waiting >= WAITING_MAX) {
        const text = `${WAITING_MAX} orders wait for the BMC of "${ref.provider}" already`;
        throw new BmcError('busy', text);
      }
      line.waiting += 1;
      const before = line.tail;
      const { promise: through, resolve: leave } = Promise.withResolvers<void>();
      line.tail = before.then(() => through);
      const beginning = beginningOf(deps.clock, job);
      try {
        await Promise.race([before, beginning.never]);
        return await repeatWhileBusy({ ...deps, permits, line }, { ref, job, work, beginning });
      } finally {
        beginning.over();
        line.waiting -= 1;
        leave();
      }
    },
  };
};

const newLine = (): Line => ({
  tail: Promise.resolve(),
  waiting: 0,
  paceMs: 0,
  readyAtMs: 0,
  usualMs: new Map(),
  choice: { redfishAbsentUntilMs: 0 },
});

type Beginning = {
  /** Aborts when it is too late to begin, or the job ends. */
  readonly signal: AbortSignal;
  /** Rejects then. */
  readonly never: Promise<never>;
  /** It has begun, or will not. */
  readonly over: () => void;
};

const beginningOf = (clock: Clock, { beginWithinMs, signal }: BmcJob): Beginning => {
  const late = new AbortController();
  const begun = new AbortController();
  const { promise: never, reject } = Promise.withResolvers<never>();
  const both = AbortSignal.any([signal, late.signal]);
  both.addEventListener('abort', () => reject(both.reason), { once: true });
  if (both.aborted) reject(both.reason);
  never.catch(() => undefined);
  clock.sleep(Math.max(0, beginWithinMs), AbortSignal.any([signal, begun.signal])).then(
    () => late.abort(new TurnNeverCame(`its turn did not come within ${beginWithinMs} ms`)),
    () => undefined,
  );
  return { signal: both, never, over: () => begun.abort(OVER) };
};

type Run<T> = {
  readonly ref: ControllerRef;
  readonly job: BmcJob;
  readonly work: (access: BmcAccess, signal: AbortSignal) => Promise<T>;
  readonly beginning: Beginning;
};

type RunDeps = Deps & { readonly permits: ReturnType<typeof createPermits>; readonly line: Line };

const repeatWhileBusy = async <T>(deps: RunDeps, run: Run<T>): Promise<T> => {
  const { clock, line } = deps;
  const { job, beginning } = run;
  let endMs: number | undefined;
  const begin = (): number => {
    if (endMs === undefined) job.begins?.();
    beginning.over();
    endMs ??= clock.monotonicMs() + job.timeoutMs;
    return endMs;
  };
  for (let attempt = 0; ; attempt += 1) {
    const readyInMs = line.readyAtMs - clock.monotonicMs();
    if (readyInMs > 0) await clock.sleep(readyInMs, job.signal);
    try {
      return await withPermit(deps, run, begin);
    } catch (error) {
      const pauseMs = BUSY_PAUSES_MS[Math.min(attempt, BUSY_PAUSES_MS.length - 1)] ?? 8_000;
      const isBusy = error instanceof BmcError && error.fault === 'busy';
      const untilMs = endMs ?? 0;
      if (!isBusy || clock.monotonicMs() + pauseMs >= untilMs) throw error;
      await clock.sleep(pauseMs, job.signal);
    }
  }
};

const withPermit = async <T>(deps: RunDeps, run: Run<T>, begin: () => number): Promise<T> => {
  const { clock, line, permits } = deps;
  await permits.take(run.beginning.signal);
  const endMs = begin();
  const begunMs = clock.monotonicMs();
  let outcome: Sample['outcome'] | undefined = 'answered';
  try {
    return await bounded(deps, run, endMs);
  } catch (error) {
    outcome = outcomeOf(error);
    throw error;
  } finally {
    const durationMs = clock.monotonicMs() - begunMs;
    const { kind } = run.job;
    const usualMs = line.usualMs.get(kind);
    if (outcome === 'answered') line.usualMs.set(kind, usualAfter(usualMs, durationMs));
    // One that fell silent counts once; afterwards it says nothing about the others.
    if (outcome === 'timeout') line.usualMs.delete(kind);
    if (outcome !== undefined) line.paceMs = paceAfter(line.paceMs, outcome);
    line.readyAtMs = clock.monotonicMs() + line.paceMs;
    permits.giveBack(outcome && { outcome, durationMs, usualMs });
  }
};

/** Undefined: it was ended by us. */
const outcomeOf = (error: unknown): Sample['outcome'] | undefined => {
  if (!(error instanceof BmcError)) return undefined;
  if (error.fault === 'timeout') return 'timeout';
  return error.fault === 'busy' ? 'busy' : 'answered';
};

/** Ends by the deadline even where a driver does not heed its signal. */
const bounded = async <T>(deps: RunDeps, run: Run<T>, endMs: number): Promise<T> => {
  const { clock } = deps;
  const { ref, job } = run;
  const over = new AbortController();
  const ended = new AbortController();
  const late = new BmcError(
    'timeout',
    `The BMC of "${ref.provider}" was not done within ${job.timeoutMs} ms`,
  );
  const signal = AbortSignal.any([job.signal, over.signal]);
  const watch = async (): Promise<never> => {
    await clock.sleep(Math.max(1, endMs - clock.monotonicMs()), ended.signal);
    over.abort(late);
    await clock.sleep(GRACE_MS, ended.signal);
    throw late;
  };
  try {
    return await Promise.race([attemptTwice(deps, run, signal), watch()]);
  } catch (error) {
    job.signal.throwIfAborted();
    throw over.signal.aborted && !(error instanceof BmcError) ? late : error;
  } finally {
    ended.abort();
  }
};

/** A session that was open before may have ended there meanwhile: once more with a new one. */
const attemptTwice = async <T>(
  deps: RunDeps,
  { ref, job, work }: Run<T>,
  signal: AbortSignal,
): Promise<T> => {
  for (let isSecond = false; ; isSecond = true) {
    const access = createAccess(deps, { ref, choice: deps.line.choice, signal });
    try {
      return await work(access, signal);
    } catch (error) {
      const fault = error instanceof BmcError ? error.fault : undefined;
      const isBroken = fault === undefined || BREAKING.has(fault);
      if (isBroken) await access.dropUsed();
      // What was refused for its session was not done.
      const mayRepeat = fault === 'unauthorized' || (fault === 'unreachable' && job.isRepeatable);
      if (isSecond || !mayRepeat || !access.wasUsed() || signal.aborted) throw error;
    } finally {
      access.release();
    }
  }
};

const BREAKING: ReadonlySet<BmcError['fault']> = new Set([
  'unreachable',
  'timeout',
  'unauthorized',
  'certificate',
  'protocol',
]);
