/** An operator's way out of whatever a machine is in the middle of. */
import { failedPrecondition } from '../../runtime/errors.ts';
import { allowedStates, mayFollow, next } from './lifecycle.ts';
import { type Machine, machineName } from './machine.ts';
import type { Failure } from './operation.ts';
import { problem } from './view.ts';

type Said = { readonly reason: string; readonly principal: string; readonly nowMs: number };

export const forceFailure = ({
  reason,
  principal,
}: Pick<Said, 'reason' | 'principal'>): Failure => ({
  kind: 'aborted',
  reason: 'FORCE_FAILED',
  message: `${principal} ended it by force: ${reason}`,
  metadata: {},
  removedBy: null,
});

/**
 * The machine in the failed state of its phase, free for the next verb. Errors: failed_precondition
 * INVALID_STATE where it is in the middle of nothing.
 */
export const forceFailed = (machine: Machine, said: Said): Machine => {
  if (!mayFollow(machine.state, 'force_fail')) throw inTheMiddleOfNothing(machine);
  return {
    ...machine,
    state: next(machine.state, 'force_fail'),
    stateMs: said.nowMs,
    operationUid: null,
    readyMs: null,
    problem: problem(said.nowMs, forceFailure(said)),
  };
};

const inTheMiddleOfNothing = (machine: Machine) => {
  const state = machine.state.toUpperCase();
  const allowed = allowedStates('force_fail').map((one) => one.toUpperCase());
  return failedPrecondition(
    'INVALID_STATE',
    `"${machineName(machine)}" is ${state} and in the middle of nothing; start or delete it`,
    { invalidState: { state, allowed }, metadata: { name: machineName(machine), state } },
  );
};
