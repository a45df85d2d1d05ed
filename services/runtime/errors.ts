/**
 * Errors that callers are expected to catch. Domain and store throw these;
 * runtime/rpc/error-mapping.ts is the only place that turns them into RPC codes. `reason` is
 * UPPER_SNAKE and never changes meaning (the list stands in
 * proto/runmachine/common/v1/error.proto); whatever varies in the message is also in `metadata`.
 */
export type ErrorKind =
  | 'invalid_argument'
  | 'not_found'
  | 'already_exists'
  | 'failed_precondition'
  | 'aborted'
  | 'out_of_range'
  | 'resource_exhausted'
  | 'unavailable'
  | 'deadline_exceeded'
  | 'cancelled'
  | 'unauthenticated'
  | 'permission_denied'
  | 'internal';

export type ErrorMetadata = Readonly<Record<string, string>>;

export type InvalidState = { readonly state: string; readonly allowed: readonly string[] };
export type FieldViolation = { readonly field: string; readonly description: string };

export type ErrorExtras = {
  readonly metadata?: ErrorMetadata;
  readonly cause?: unknown;
  /** Set for a verb refused in a state: becomes an InvalidState detail. */
  readonly invalidState?: InvalidState;
  /** Set where single fields are wrong: becomes a BadRequest-like Violations detail. */
  readonly violations?: readonly FieldViolation[];
  /** After how long a retry makes sense, in milliseconds: becomes RetryInfo. */
  readonly retryAfterMs?: number;
  /** What each step of a placement removed: becomes a NoCapacity detail. */
  readonly removedBy?: Readonly<Record<string, number>>;
  /** Constraints each of which alone stood in the way; goes with `removedBy`. */
  readonly fitsWithout?: readonly string[];
};

export class DomainError extends Error {
  override readonly name: string = 'DomainError';
  readonly kind: ErrorKind;
  readonly reason: string;
  readonly metadata: ErrorMetadata;
  readonly extras: ErrorExtras;

  constructor(kind: ErrorKind, reason: string, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.kind = kind;
    this.reason = reason;
    this.metadata = extras.metadata ?? {};
    this.extras = extras;
  }
}

const make =
  (kind: ErrorKind) =>
  (reason: string, message: string, extras?: ErrorExtras): DomainError =>
    new DomainError(kind, reason, message, extras);

export const invalidArgument = make('invalid_argument');
export const notFound = make('not_found');
export const alreadyExists = make('already_exists');
export const failedPrecondition = make('failed_precondition');
export const aborted = make('aborted');
export const outOfRange = make('out_of_range');
export const resourceExhausted = make('resource_exhausted');
export const unavailable = make('unavailable');
export const deadlineExceeded = make('deadline_exceeded');
export const unauthenticated = make('unauthenticated');
export const permissionDenied = make('permission_denied');
export const internal = make('internal');

/** True for a DomainError of that kind, and of that reason where one is given. */
export const isDomainError = (
  error: unknown,
  kind?: ErrorKind,
  reason?: string,
): error is DomainError =>
  error instanceof DomainError &&
  (kind === undefined || error.kind === kind) &&
  (reason === undefined || error.reason === reason);
