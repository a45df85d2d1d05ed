/**
 * The only place where errors become RPC codes. A DomainError keeps its kind, reason and details;
 * an error of an inner call that carries our ErrorInfo passes as it came; anything else is a bug:
 * INTERNAL with an incident id, its text only in the log.
 */

import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from '../../../gen/google/rpc/error_details_pb.ts';
import {
  InvalidStateSchema,
  NoCapacitySchema,
} from '../../../gen/runmachine/common/v1/error_pb.ts';
import { DomainError, type ErrorKind, type ErrorMetadata } from '../errors.ts';
import { domainErrorOf } from './error-reading.ts';

/** ErrorInfo.domain of every error of ours. */
export const ERROR_DOMAIN = 'runmachine';

const CODES: Readonly<Record<ErrorKind, Code>> = {
  invalid_argument: Code.InvalidArgument,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  failed_precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  out_of_range: Code.OutOfRange,
  resource_exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  deadline_exceeded: Code.DeadlineExceeded,
  cancelled: Code.Canceled,
  unauthenticated: Code.Unauthenticated,
  permission_denied: Code.PermissionDenied,
  internal: Code.Internal,
};

// Errors travel in trailers, which clients limit to 8 to 16 KiB in all.
const MESSAGE_CHARS_MAX = 1500;
const VALUE_CHARS_MAX = 300;
const LIST_MAX = 16;

type Detail = { desc: DescMessage; value: MessageInitShape<DescMessage> };

/** What the log says about a mapped error. */
export type MappedError = {
  readonly error: ConnectError;
  readonly reason: string;
  /** Set when the error is ours to repair; equals the incident id in the ErrorInfo. */
  readonly incident: string | undefined;
};

/**
 * Maps whatever a handler threw. `newIncident` makes the id that a caller can quote for a hidden
 * error.
 */
export const mapError = (thrown: unknown, newIncident: () => string): MappedError => {
  const known = asDomainError(thrown);
  if (known !== undefined && known.kind !== 'internal') {
    return { error: toConnectError(known), reason: known.reason, incident: undefined };
  }
  if (ConnectError[Symbol.hasInstance](thrown) && isUnimplemented(thrown)) {
    return { error: thrown as ConnectError, reason: 'UNIMPLEMENTED', incident: undefined };
  }
  const incident = newIncident();
  const hidden = new DomainError(
    'internal',
    'INTERNAL',
    `The server failed unexpectedly; its log names the cause under incident ${incident}`,
    { metadata: { incident } },
  );
  return { error: toConnectError(hidden), reason: 'INTERNAL', incident };
};

const isUnimplemented = (thrown: unknown): boolean =>
  thrown instanceof ConnectError && thrown.code === Code.Unimplemented;

const asDomainError = (thrown: unknown): DomainError | undefined => {
  if (thrown instanceof DomainError) return thrown;
  return thrown instanceof ConnectError ? domainErrorOf(thrown) : undefined;
};

/** The RPC error of a DomainError, with ErrorInfo and what else its data calls for. */
export const toConnectError = (error: DomainError): ConnectError =>
  new ConnectError(clip(error.message, MESSAGE_CHARS_MAX), CODES[error.kind], undefined, [
    ...detailsOf(error),
  ]);

const detailsOf = (error: DomainError): Detail[] => {
  const { invalidState, violations, retryAfterMs, removedBy, fitsWithout } = error.extras;
  const details: Detail[] = [
    detail(ErrorInfoSchema, {
      reason: error.reason,
      domain: ERROR_DOMAIN,
      metadata: clipped(error.metadata),
    }),
  ];
  if (invalidState !== undefined) {
    details.push(
      detail(InvalidStateSchema, {
        state: invalidState.state,
        allowed: [...invalidState.allowed],
      }),
    );
  }
  if (violations !== undefined) {
    const fieldViolations = violations.slice(0, LIST_MAX).map(({ field, description }) => ({
      field: clip(field, VALUE_CHARS_MAX),
      description: clip(description, VALUE_CHARS_MAX),
    }));
    details.push(detail(BadRequestSchema, { fieldViolations }));
  }
  if (removedBy !== undefined) {
    const steps = Object.entries(removedBy).slice(0, LIST_MAX * 2);
    details.push(
      detail(NoCapacitySchema, {
        steps: steps.map(([constraint, removed]) => ({
          constraint: clip(constraint, VALUE_CHARS_MAX),
          removed: Math.max(0, Math.min(0xffffffff, Math.trunc(removed))),
        })),
        fitsWithout: (fitsWithout ?? [])
          .slice(0, LIST_MAX)
          .map((one) => clip(one, VALUE_CHARS_MAX)),
      }),
    );
  }
  if (retryAfterMs !== undefined) {
    details.push(detail(RetryInfoSchema, { retryDelay: durationFromMs(retryAfterMs) }));
  }
  const resourceName = error.metadata.resource ?? error.metadata.name;
  if (resourceName !== undefined && isAboutAResource(error.kind)) {
    details.push(
      detail(ResourceInfoSchema, {
        resourceType: clip(error.metadata.type ?? '', VALUE_CHARS_MAX),
        resourceName: clip(resourceName, VALUE_CHARS_MAX),
      }),
    );
  }
  return details;
};

const isAboutAResource = (kind: ErrorKind): boolean =>
  kind === 'not_found' || kind === 'already_exists';

const detail = <D extends DescMessage>(desc: D, value: MessageInitShape<D>): Detail => ({
  desc,
  value: create(desc, value),
});

const clipped = (metadata: ErrorMetadata): Record<string, string> =>
  Object.fromEntries(
    Object.entries(metadata)
      .slice(0, LIST_MAX)
      .map(([key, value]) => [clip(key, 64), clip(value, VALUE_CHARS_MAX)]),
  );

// A lone surrogate from hostile input would make the status line unencodable.
const clip = (text: string, charsMax: number): string => {
  const whole = text.toWellFormed();
  return whole.length <= charsMax ? whole : `${whole.slice(0, charsMax - 1).toWellFormed()}…`;
};
