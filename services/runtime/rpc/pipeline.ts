/**
 * What every call goes through, whichever way it came in: the order of DESIGN.md section 5. One
 * pipeline per process, shared by all mounts; guard.ts wraps it around a service.
 */
import type { HandlerContext } from '@connectrpc/connect';
import type { Clock } from '../clock.ts';
import { unavailable } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { RpcMetrics } from '../metrics.ts';
import type { Random } from '../random.ts';
import { type ServicePolicy, servicePolicy } from '../service-policy.ts';
import type { Authenticator } from './authenticator.ts';
import { CallState } from './call-state.ts';
import type { MethodFacts } from './method-facts.ts';
import { createObserver, type Observer } from './observe.ts';
import { createRechecks, type Rechecks } from './rechecks.ts';
import { authenticateStage } from './stages/authenticate.ts';
import { type DeadlineLimits, deadlineStage } from './stages/deadline.ts';
import { hopLimitStage } from './stages/hop-limit.ts';
import { idempotencyStage } from './stages/idempotency.ts';
import { policyStage } from './stages/policy.ts';
import { requestIdStage } from './stages/request-id.ts';
import type { Stage } from './stages/stage.ts';
import { validateStage } from './stages/validate.ts';

export type PipelineLimits = DeadlineLimits & {
  /** Processes of ours that a call may go through. */
  readonly hopsMax: number;
  /** How often a stream's identity and policy are checked again. */
  readonly recheckMs: number;
};

export type PipelineDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: RpcMetrics;
  readonly authenticate: Authenticator;
  /** Absent = the table in service-policy.ts. */
  readonly servicePolicy?: ServicePolicy;
  readonly limits?: Partial<PipelineLimits>;
};

export type Pipeline = {
  readonly stages: readonly Stage[];
  readonly limits: PipelineLimits;
  readonly random: Random;
  readonly clock: Clock;
  readonly log: Logger;
  readonly observe: Observer;
  /**
   * A new call. Throws UNAVAILABLE DRAINING once `drain` was called; `close` of the result ends it.
   */
  readonly open: (facts: MethodFacts, context: HandlerContext) => CallState;
  readonly closed: (call: CallState) => void;
  /** Of streams, every `recheckMs`. */
  readonly rechecks: Rechecks;
  /** Checks identity and policy of every stream now, not at its next turn: after a revocation. */
  readonly recheckStreams: () => void;
  /** Calls that run now. */
  readonly activeCount: () => number;
  /**
   * Refuses new calls, ends streams with UNAVAILABLE DRAINING, waits for unary calls until the
   * signal aborts, then ends them too. Resolves when no call runs or the signal has aborted.
   */
  readonly drain: (signal: AbortSignal) => Promise<void>;
};

const LIMITS: PipelineLimits = {
  unaryDefaultMs: 60_000,
  unaryCapMs: 120_000,
  hopsMax: 4,
  recheckMs: 10_000,
};

export const createPipeline = (deps: PipelineDeps): Pipeline => {
  const limits = { ...LIMITS, ...deps.limits };
  const active = new Set<CallState>();
  const stages: readonly Stage[] = [
    requestIdStage(deps.random),
    deadlineStage(deps.clock, limits),
    authenticateStage(deps.authenticate, deps.servicePolicy ?? servicePolicy),
    hopLimitStage(limits.hopsMax),
    policyStage(),
    validateStage(),
    idempotencyStage(),
  ];
  const rechecks = createRechecks(stages, limits.recheckMs);
  let draining = false;
  let onIdle: (() => void) | undefined;
  return {
    limits,
    random: deps.random,
    clock: deps.clock,
    log: deps.log,
    observe: createObserver(deps.log, deps.metrics),
    stages,
    open: (facts, context) => {
      const call = new CallState(facts, context, deps.clock);
      active.add(call);
      if (draining) call.abort(drainingError());
      return call;
    },
    closed: (call) => {
      call.close();
      rechecks.remove(call);
      active.delete(call);
      if (active.size === 0) onIdle?.();
    },
    rechecks,
    recheckStreams: rechecks.all,
    activeCount: () => active.size,
    drain: async (signal) => {
      draining = true;
      for (const call of active) {
        if (call.facts.method.methodKind !== 'unary') call.abort(drainingError());
      }
      if (active.size === 0 || signal.aborted) return;
      await new Promise<void>((resolve) => {
        onIdle = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      for (const call of active) call.abort(drainingError());
    },
  };
};

const drainingError = () =>
  unavailable('DRAINING', 'This process is stopping; try again at another one', {
    retryAfterMs: 500,
  });
