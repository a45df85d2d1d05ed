import { ClientClosedError, EtcdLeaseInvalidError, EtcdPermissionDeniedError } from 'etcd3';
import { type DomainError, invalidArgument, permissionDenied } from '../../../runtime/errors.ts';
import { compacted, coordinationUnavailable, futureRevision, outcomeUnknown } from '../failures.ts';

/**
 * etcd3 rewrites grpc-js errors into classes of its own and drops code and details; only the
 * message ("14 UNAVAILABLE: …") still tells what happened.
 */
const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What etcd says of a token it has forgotten, and what we make of it for etcd3. */
export const TOKEN_REFUSED = 'etcdserver: invalid auth token';
export const TOKEN_EXPIRED = 'etcdserver: token is unknown';

/**
 * grpc-js gave up before a connection took the call, or etcd refused before it proposed the
 * change to the cluster. Everything that is not on this list may have been applied.
 */
const NEVER_APPLIED = [
  'UNAVAILABLE: No connection established',
  'UNAVAILABLE: Name resolution failed',
  'UNAVAILABLE: Channel closed before call started',
  'Waiting for LB pick',
  'etcdserver: too many requests',
  TOKEN_REFUSED,
  TOKEN_EXPIRED,
];

export const wasNeverApplied = (error: unknown): boolean =>
  error instanceof ClientClosedError || NEVER_APPLIED.some((text) => textOf(error).includes(text));

/** etcd forgets tokens after five idle minutes, and all of them when a user or role changes. */
export const needsNewToken = (error: unknown): boolean =>
  [TOKEN_REFUSED, TOKEN_EXPIRED, 'revision of auth store is old'].some((text) =>
    textOf(error).includes(text),
  );

export const isLeaseGone = (error: unknown): boolean =>
  error instanceof EtcdLeaseInvalidError || textOf(error).includes('requested lease not found');

export const isCompacted = (error: unknown): boolean =>
  textOf(error).includes('required revision has been compacted');

export const isFuture = (error: unknown): boolean =>
  textOf(error).includes('required revision is a future revision');

/**
 * What etcd answered for good, as a DomainError; undefined when it answered nothing certain.
 * "database space exceeded" is not here: etcd may say so after it has applied a transaction.
 */
export const toRefusal = (error: unknown): DomainError | undefined => {
  const text = textOf(error);
  if (isCompacted(error)) return compacted(error);
  if (isFuture(error)) return futureRevision(error);
  if (error instanceof EtcdPermissionDeniedError || text.includes('authentication failed'))
    return permissionDenied('COORDINATION_DENIED', 'The coordination store refuses this client', {
      cause: error,
    });
  if (/request is too large|too many operations|INVALID_ARGUMENT/.test(text))
    return invalidArgument('INVALID_TRANSACTION', `The coordination store refuses: ${text}`, {
      cause: error,
    });
  return undefined;
};

/** True when etcd has decided, so that asking another member would give the same. */
export const isAnswer = (error: unknown): boolean =>
  isLeaseGone(error) || toRefusal(error) !== undefined;

/** The DomainError for a call that changes something and failed with this. */
export const toWriteFailure = (error: unknown): DomainError =>
  toRefusal(error) ?? (wasNeverApplied(error) ? toUnavailable(error) : outcomeUnknown(error));

/** The DomainError for a call that may be repeated and failed with this. */
export const toReadFailure = (error: unknown): DomainError =>
  toRefusal(error) ?? toUnavailable(error);

const toUnavailable = (error: unknown): DomainError =>
  coordinationUnavailable('The coordination store does not answer', error);
