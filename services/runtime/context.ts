import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { type ContextValues, createContextKey } from '@connectrpc/connect';
import type { Access } from './access.ts';
import { internal } from './errors.ts';
import type { Identity } from './identity.ts';
import { type RequestKey, type RequestMark, requestKey } from './request-key.ts';

/** What a handler may know of the call that it serves. */
export type Call = {
  /**
   * From the header x-request-id, or made here; in every log line and echoed to the caller. Not the
   * request_id.
   */
  readonly requestId: string;
  /** Full name, "/runmachine.machine.v1.MachineService/CreateMachine". */
  readonly method: string;
  /** For whom the call is made: what policy and quota judge. */
  readonly identity: Identity;
  /**
   * Who is on the wire: the service acting for `identity`, else the same object. Audit records
   * both.
   */
  readonly actor: Identity;
  /**
   * Where the caller holds this method's permission. A read or write by uid must check
   * `access.covers(row)`.
   */
  readonly access: Access;
  /**
   * Set when the request carries a request_id; `requestKeyOf` makes of it what store.transaction
   * needs.
   */
  readonly requestMark: RequestMark | undefined;
  /** Whether a successful call writes an audit row. */
  readonly audited: boolean;
  /** Countable quota that the method uses; empty = none. */
  readonly quota: string;
  /** Milliseconds until the deadline; undefined on a stream without one. */
  readonly remainingMs: () => number | undefined;
  /**
   * Aborts on cancel, deadline, loss of identity and drain; its reason is the error that the caller
   * will get.
   */
  readonly signal: AbortSignal;
  /** How many of our processes the call went through before this one. */
  readonly hops: number;
};

/** What the accessors need of a connect HandlerContext. */
export type HasValues = { readonly values: ContextValues };

export const callKey = createContextKey<Call | undefined>(undefined, { description: 'call' });

/** The call that this handler serves. */
export const callOf = (context: HasValues): Call => {
  const call = context.values.get(callKey);
  if (call === undefined) throw internal('INTERNAL', 'The handler was called without its guard');
  return call;
};

export const identityOf = (context: HasValues): Identity => callOf(context).identity;

/** Where the caller holds this method's permission; constrain the SQL with it. */
export const accessOf = (context: HasValues): Access => callOf(context).access;

/**
 * The key for store.transaction, whose work then returns the response message of that schema.
 * Undefined when the request carries no request_id (only where the policy lets it be absent).
 */
export const requestKeyOf = <D extends DescMessage>(
  context: HasValues,
  response: D,
): RequestKey<MessageShape<D>> | undefined => {
  const mark = callOf(context).requestMark;
  return mark === undefined ? undefined : requestKey(mark, response);
};
