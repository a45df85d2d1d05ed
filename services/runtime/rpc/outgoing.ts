import type { CallOptions } from '@connectrpc/connect';
import { callOf, type HasValues } from '../context.ts';
import { encodeOnBehalfOf, HOPS, ON_BEHALF_OF, REQUEST_ID } from './on-behalf-of.ts';

const TIMEOUT_MS = 10_000;

/**
 * Options for a call to another service made while serving a call, in the caller's name: policy and
 * quota there judge the caller. Carries the request id, one hop more, the signal and what is left
 * of the deadline (10 s on a stream).
 */
export const forCaller = (context: HasValues): CallOptions => {
  const options = asService(context);
  const { identity } = callOf(context);
  if (identity.kind === 'service' || identity.kind === 'anonymous') return options;
  const headers = new Headers(options.headers);
  headers.set(ON_BEHALF_OF, encodeOnBehalfOf(identity));
  return { ...options, headers };
};

/** The same in this service's own name, for what the caller could not do itself. */
export const asService = (context: HasValues): CallOptions => {
  const call = callOf(context);
  return {
    headers: { [REQUEST_ID]: call.requestId, [HOPS]: String(call.hops + 1) },
    signal: call.signal,
    timeoutMs: Math.ceil(call.remainingMs() ?? TIMEOUT_MS),
  };
};
