/**
 * The journal of what the system does by itself at the hardware of a provider: inspections,
 * cleanings and changes of credentials. A step is recorded before the next begins, so that whoever
 * resumes after a crash repeats at most one step, and each step is safe to repeat.
 */
export type TaskKind = 'inspect' | 'clean' | 'rotate';

export type HardwareTask = {
  readonly uid: string;
  readonly kind: TaskKind;
  readonly providerUid: string;
  readonly partition: string;
  /** What beside the provider makes it one: uid of the claim for a cleaning; empty = nothing. */
  readonly subject: string;
  readonly step: string;
  /** Tries of the step; 1 on the first. */
  readonly attempt: number;
  readonly createMs: number;
  /** When the step began; its limit counts from there. */
  readonly stepMs: number;
  readonly wakeMs: number;
  readonly endMs: number | null;
  /** Why it failed; null = it runs or succeeded. */
  readonly failure: TaskFailure | null;
  /** What steps leave to later ones; never a secret. */
  readonly data: Readonly<Record<string, string>>;
  /** Empty = the system. */
  readonly principal: string;
};

export type TaskFailure = { readonly reason: string; readonly message: string };

export type TaskOutcome =
  /** The step is done. */
  | { readonly kind: 'next'; readonly step: string; readonly data?: HardwareTask['data'] }
  /** Not now; the same step again. */
  | { readonly kind: 'again'; readonly afterMs: number; readonly why: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly failure: TaskFailure };

type Begun = Pick<
  HardwareTask,
  'uid' | 'kind' | 'providerUid' | 'partition' | 'subject' | 'step' | 'data' | 'principal'
>;

export const newTask = (begun: Begun, nowMs: number): HardwareTask => ({
  ...begun,
  attempt: 1,
  createMs: nowMs,
  stepMs: nowMs,
  wakeMs: nowMs,
  endMs: null,
  failure: null,
});

export const afterOutcome = (
  task: HardwareTask,
  outcome: TaskOutcome,
  nowMs: number,
): HardwareTask => {
  switch (outcome.kind) {
    case 'next': {
      const data = { ...task.data, ...outcome.data };
      return { ...task, step: outcome.step, attempt: 1, stepMs: nowMs, wakeMs: nowMs, data };
    }
    case 'again': {
      const data = { ...task.data, why: outcome.why };
      return { ...task, attempt: task.attempt + 1, wakeMs: nowMs + outcome.afterMs, data };
    }
    case 'done':
      return { ...task, endMs: nowMs };
    case 'failed':
      return { ...task, endMs: nowMs, failure: outcome.failure };
    default:
      return outcome satisfies never;
  }
};

const PAUSE_MS = 1_000;
const PAUSE_MS_MAX = 60_000;

/** What to do about a failed try: again with growing pauses while the step has time, else fail. */
export const tryAgain = (
  task: HardwareTask,
  failed: TaskFailure & { readonly isPassing: boolean },
  at: { readonly nowMs: number; readonly limitMs: number },
): TaskOutcome => {
  const { reason, message, isPassing } = failed;
  const isLate = at.nowMs >= task.stepMs + at.limitMs;
  if (!isPassing || isLate) return { kind: 'failed', failure: { reason, message } };
  const afterMs = Math.min(PAUSE_MS * 2 ** Math.min(task.attempt - 1, 16), PAUSE_MS_MAX);
  return { kind: 'again', afterMs, why: message };
};
