import type { HandlerContext } from '@connectrpc/connect';
import { callOf } from '../../runtime/context.ts';
import type { Origin } from '../domain/command.ts';

/** Names who was on the wire of a relayed call; believed from the scheduler itself only. */
export const RELAYED_FOR = 'runm-relayed-for';
const OURSELVES = 'services/scheduler';

/** A call that another replica of the scheduler relayed: it is not relayed again. */
export const isRelayed = (context: HandlerContext): boolean =>
  // In this order: headers are made when somebody looks at them.
  callOf(context).actor.principal === OURSELVES && context.requestHeader.has(RELAYED_FOR);

export const originOf = (context: HandlerContext): Origin => ({
  ...callerOf(context),
  argumentHash: Buffer.from(callOf(context).requestMark?.argumentHash ?? []).toString('hex'),
});

/**
 * Who asks. Whoever is on the wire at the first replica is so for the leader too, though the
 * certificate of a relayed call is the relaying replica's.
 */
export const callerOf = (context: HandlerContext): Omit<Origin, 'argumentHash'> => {
  const { identity, actor, requestMark } = callOf(context);
  const relayedFor = isRelayed(context) ? context.requestHeader.get(RELAYED_FOR) : undefined;
  const principal = relayedFor || actor.principal;
  const isForItself = identity.kind === 'service' || identity.principal === principal;
  return {
    requestId: requestMark?.requestId ?? '',
    caller: identity.kind === 'service' ? 'services' : identity.principal,
    principal,
    onBehalfOf: isForItself ? undefined : identity.principal,
  };
};
