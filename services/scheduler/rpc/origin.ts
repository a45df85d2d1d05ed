import type { HandlerContext } from '@connectrpc/connect';
import { callOf } from '../../runtime/context.ts';
import type { Origin } from '../domain/command.ts';

/** Names the service that a relayed call came from; believed from the scheduler itself only. */
export const RELAYED_FOR = 'runm-relayed-for';
const OURSELVES = 'services/scheduler';

/** A call that another replica of the scheduler relayed: it is not relayed again. */
export const isRelayed = (context: HandlerContext): boolean =>
  context.requestHeader.has(RELAYED_FOR) && callOf(context).actor.principal === OURSELVES;

/**
 * Who asks. A service that calls for itself is seen by the leader as itself also when the call was relayed, though the
 * certificate on the wire is then the relaying replica's.
 */
export const originOf = (context: HandlerContext): Origin => {
  const { identity, actor, requestMark } = callOf(context);
  const relayedFor = isRelayed(context) ? (context.requestHeader.get(RELAYED_FOR) ?? '') : '';
  const principal = relayedFor === '' ? actor.principal : relayedFor;
  return {
    requestId: requestMark?.requestId ?? '',
    argumentHash: Buffer.from(requestMark?.argumentHash ?? []).toString('hex'),
    caller: identity.kind === 'service' ? 'services' : identity.principal,
    principal,
    onBehalfOf: identity.principal === actor.principal ? undefined : identity.principal,
  };
};
