import type { Clock } from '../../clock.ts';
import { deadlineExceeded } from '../../errors.ts';
import type { CallState } from '../call-state.ts';
import type { Stage } from './stage.ts';

export type DeadlineLimits = {
  /** For a unary call whose client sets none. */
  readonly unaryDefaultMs: number;
  /** A unary call ends after this whatever its client asks for. */
  readonly unaryCapMs: number;
};

/**
 * Ends the call at the client's deadline or at our cap. A stream has a deadline only if its client
 * sets one.
 */
export const deadlineStage = (clock: Clock, limits: DeadlineLimits): Stage => ({
  name: 'deadline',
  begin: (call) => {
    const limitMs = limitOf(call, limits);
    if (limitMs === undefined) return undefined;
    call.deadlineMs = clock.monotonicMs() + limitMs;
    const end = () =>
      call.abort(
        deadlineExceeded(
          'DEADLINE_EXCEEDED',
          `${call.method} did not finish within ${Math.round(limitMs)} ms`,
          { metadata: { limit_ms: String(Math.round(limitMs)) } },
        ),
      );
    if (limitMs <= 0) end();
    // setTimeout fires at once beyond 31 bits; no stream of ours is planned to end in 24 days.
    else if (limitMs < 2 ** 31) call.after(limitMs, end);
    return undefined;
  },
});

const limitOf = (call: CallState, limits: DeadlineLimits): number | undefined => {
  const asked = call.clientTimeoutMs();
  if (call.facts.method.methodKind !== 'unary') return asked;
  return Math.min(asked ?? limits.unaryDefaultMs, limits.unaryCapMs);
};
