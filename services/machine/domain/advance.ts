/**
 * The next step of an operation: pure, so that a crash anywhere changes nothing but the time.
 * Whoever resumes reads the newest rows and asks again; what was recorded is not done twice, what
 * was not is repeated with the same request id.
 */
import { advanceBringUp, afterAcquire } from './bring-up.ts';
import { isDone } from './operation.ts';
import { advancePowerChange } from './power-change.ts';
import { advanceTearDown, afterRelease } from './tear-down.ts';
import type { Call, CallResult, Decided, View } from './view.ts';

/** The operation must not be done. */
export const nextStep = (view: View, nowMs: number): Decided => {
  const { verb } = view.operation;
  if (isDone(view.operation)) throw new Error('A done operation has no next step');
  switch (verb) {
    case 'create':
    case 'start':
    case 'reset':
      return advanceBringUp(view, nowMs);
    case 'stop':
    case 'shutdown':
    case 'pause':
    case 'resume':
      return advancePowerChange(view, nowMs);
    case 'delete':
      return advanceTearDown(view, nowMs);
    default:
      return verb satisfies never;
  }
};

/** What to record after a call, whether it was answered now or by a repetition after a crash. */
export const afterCall = (
  view: View,
  answer: { readonly call: Call; readonly result: CallResult },
  nowMs: number,
): Decided => {
  const { call, result } = answer;
  switch (call) {
    case 'acquire':
      return afterAcquire(view, result, nowMs);
    case 'begin-release':
      return afterRelease(view, 'release', { result, nowMs });
    case 'finish-release':
      return afterRelease(view, 'finish', { result, nowMs });
    default:
      return call satisfies never;
  }
};
