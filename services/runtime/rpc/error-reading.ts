import { durationMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '../../../gen/google/rpc/error_details_pb.ts';
import {
  InvalidStateSchema,
  NoCapacitySchema,
} from '../../../gen/runmachine/common/v1/error_pb.ts';
import { DomainError, type ErrorExtras, type ErrorKind } from '../errors.ts';

const KINDS: ReadonlyMap<Code, ErrorKind> = new Map<Code, ErrorKind>([
  [Code.InvalidArgument, 'invalid_argument'],
  [Code.NotFound, 'not_found'],
  [Code.AlreadyExists, 'already_exists'],
  [Code.FailedPrecondition, 'failed_precondition'],
  [Code.Aborted, 'aborted'],
  [Code.OutOfRange, 'out_of_range'],
  [Code.ResourceExhausted, 'resource_exhausted'],
  [Code.Unavailable, 'unavailable'],
  [Code.DeadlineExceeded, 'deadline_exceeded'],
  [Code.Canceled, 'cancelled'],
  [Code.Unauthenticated, 'unauthenticated'],
  [Code.PermissionDenied, 'permission_denied'],
]);

const OWN_REASONS: ReadonlyMap<ErrorKind, string> = new Map<ErrorKind, string>([
  ['unavailable', 'SERVICE_UNAVAILABLE'],
  ['deadline_exceeded', 'DEADLINE_EXCEEDED'],
  ['cancelled', 'CANCELLED'],
]);

/**
 * The DomainError that a server of ours put on the wire, details included. Also for what the
 * transport itself reports (no connection, deadline, cancel). Undefined for anything else, for
 * example an INTERNAL of the other side.
 */
export const domainErrorOf = (thrown: unknown): DomainError | undefined => {
  if (thrown instanceof DomainError) return thrown;
  if (!(thrown instanceof ConnectError)) return undefined;
  const kind = KINDS.get(thrown.code);
  if (kind === undefined) return undefined;
  const info = thrown.findDetails(ErrorInfoSchema).find((one) => one.domain === 'runmachine');
  const reason = info?.reason ?? OWN_REASONS.get(kind);
  if (reason === undefined) return undefined;
  return new DomainError(kind, reason, thrown.rawMessage, {
    ...extrasOf(thrown),
    metadata: info?.metadata ?? {},
    cause: thrown,
  });
};

const extrasOf = (error: ConnectError): ErrorExtras => {
  const [invalidState] = error.findDetails(InvalidStateSchema);
  const [badRequest] = error.findDetails(BadRequestSchema);
  const [retry] = error.findDetails(RetryInfoSchema);
  const [noCapacity] = error.findDetails(NoCapacitySchema);
  return {
    ...(invalidState && {
      invalidState: { state: invalidState.state, allowed: invalidState.allowed },
    }),
    ...(badRequest && {
      violations: badRequest.fieldViolations.map(({ field, description }) => ({
        field,
        description,
      })),
    }),
    ...(retry?.retryDelay && { retryAfterMs: durationMs(retry.retryDelay) }),
    ...(noCapacity && {
      removedBy: Object.fromEntries(noCapacity.steps.map((s) => [s.constraint, s.removed])),
      fitsWithout: noCapacity.fitsWithout,
    }),
  };
};

/**
 * Runs a call to another service; what it answers as an error is thrown as DomainError where it is
 * one.
 */
export const asDomain = async <T>(call: Promise<T>): Promise<T> => {
  try {
    return await call;
  } catch (thrown) {
    throw domainErrorOf(thrown) ?? thrown;
  }
};
