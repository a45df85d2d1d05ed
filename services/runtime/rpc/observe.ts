import { Code } from '@connectrpc/connect';
import type { Logger } from '../log.ts';
import type { RpcMetrics } from '../metrics.ts';
import type { CallState } from './call-state.ts';
import type { MappedError } from './error-mapping.ts';

/** The end of a call as log and metrics see it. */
export type Outcome =
  | { readonly kind: 'ok' }
  | { readonly kind: 'abandoned' }
  | { readonly kind: 'error'; readonly mapped: MappedError; readonly thrown: unknown };

export type Observer = (call: CallState, outcome: Outcome, durationMs: number) => void;

/**
 * One log line and one count per call. Reads that succeed are `debug`: at thousands a second they
 * would be the load. A hidden error is logged here, once, with its chain and the incident id that
 * the caller got.
 */
export const createObserver = (log: Logger, metrics: RpcMetrics): Observer => {
  // What these lines hold is fixed below and no secret; looking for one was a tenth of a call's
  // time.
  const plain = log.child({}, { redact: [], level: 'trace' });
  return (call, outcome, durationMs) => {
    const code = outcome.kind === 'error' ? codeName(outcome.mapped.error.code) : okName(outcome);
    metrics.count(call.method, code, durationMs / 1000);
    const isOurs = outcome.kind === 'error' && outcome.mapped.incident !== undefined;
    const level = isOurs ? 'error' : levelOf(call, outcome);
    if (!log.isLevelEnabled(level)) return;
    const line = {
      rpc: call.method,
      request: call.requestId,
      principal: call.identity.principal,
      ...(call.actor !== call.identity && { actor: call.actor.principal }),
      code,
      ms: Math.round(durationMs * 10) / 10,
      ...(outcome.kind === 'error' && { reason: outcome.mapped.reason }),
    };
    if (isOurs) {
      log.error({ ...line, incident: outcome.mapped.incident, err: outcome.thrown }, 'call failed');
    } else plain[level](line, outcome.kind === 'error' ? 'call refused' : 'call served');
  };
};

const okName = (outcome: Outcome): string => (outcome.kind === 'ok' ? 'OK' : 'CANCELLED');

const levelOf = (call: CallState, outcome: Outcome): 'debug' | 'info' =>
  outcome.kind === 'error' || call.audited ? 'info' : 'debug';

const NAMES: ReadonlyMap<Code, string> = new Map([
  [Code.Canceled, 'CANCELLED'],
  [Code.Unknown, 'UNKNOWN'],
  [Code.InvalidArgument, 'INVALID_ARGUMENT'],
  [Code.DeadlineExceeded, 'DEADLINE_EXCEEDED'],
  [Code.NotFound, 'NOT_FOUND'],
  [Code.AlreadyExists, 'ALREADY_EXISTS'],
  [Code.PermissionDenied, 'PERMISSION_DENIED'],
  [Code.ResourceExhausted, 'RESOURCE_EXHAUSTED'],
  [Code.FailedPrecondition, 'FAILED_PRECONDITION'],
  [Code.Aborted, 'ABORTED'],
  [Code.OutOfRange, 'OUT_OF_RANGE'],
  [Code.Unimplemented, 'UNIMPLEMENTED'],
  [Code.Internal, 'INTERNAL'],
  [Code.Unavailable, 'UNAVAILABLE'],
  [Code.DataLoss, 'DATA_LOSS'],
  [Code.Unauthenticated, 'UNAUTHENTICATED'],
]);

/** The gRPC name of a status code, for logs and metrics. */
export const codeName = (code: Code): string => NAMES.get(code) ?? 'UNKNOWN';
