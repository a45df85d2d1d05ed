import { Scope } from '../../../../gen/runmachine/common/v1/policy_pb.ts';
import { isDomainError, permissionDenied, unauthenticated } from '../../errors.ts';
import { anonymous, type Identity } from '../../identity.ts';
import type { ServicePolicy } from '../../service-policy.ts';
import type { Authenticator } from '../authenticator.ts';
import type { CallState } from '../call-state.ts';
import { decodeOnBehalfOf, ON_BEHALF_OF } from '../on-behalf-of.ts';
import type { Stage } from './stage.ts';

/** Establishes who is on the wire (`actor`) and for whom the call is made (`identity`). */
export const authenticateStage = (authenticate: Authenticator, policy: ServicePolicy): Stage => {
  const settle = (call: CallState, actor: Identity): undefined => {
    call.actor = actor;
    call.identity = callerOf(call, actor, policy);
    return undefined;
  };
  const begin = (call: CallState) => {
    // A method for nobody in particular must work while credentials cannot be judged: renewal,
    // joining, health.
    const forAnybody = call.facts.policy?.scope === Scope.ANONYMOUS;
    if (forAnybody && call.peer.source.kind === 'people') return settle(call, anonymous);
    const found = authenticate(call.peer, call.signal);
    return found instanceof Promise
      ? found.then((actor) => settle(call, actor))
      : settle(call, found);
  };
  return { name: 'identity', begin, recheck: (call) => recheck(call, begin) };
};

const callerOf = (call: CallState, actor: Identity, policy: ServicePolicy): Identity => {
  const header = call.peer.header(ON_BEHALF_OF);
  if (header === undefined) return actor;
  if (actor.kind === 'service' && policy.mayActForCallers(actor.uid)) {
    return decodeOnBehalfOf(header);
  }
  throw permissionDenied('NOT_ALLOWED', `${actor.principal} may not act for other callers`, {
    metadata: { principal: actor.principal },
  });
};

/**
 * A lost identity ends the stream. Not being able to ask does not: an outage of metadata must not
 * cut every watch.
 */
const recheck = (
  call: CallState,
  begin: (call: CallState) => undefined | Promise<undefined>,
): undefined | Promise<undefined> => {
  const before = call.actor.principal;
  const compare = (): undefined => {
    if (call.actor.principal === before) return undefined;
    throw unauthenticated('BAD_CREDENTIALS', 'The credentials of the stream now name another');
  };
  const forgive = (error: unknown): undefined => {
    if (isDomainError(error, 'unavailable') || isDomainError(error, 'deadline_exceeded')) {
      return undefined;
    }
    throw error;
  };
  try {
    const asked = begin(call);
    if (asked !== undefined) return asked.catch(forgive).then(compare);
  } catch (error) {
    forgive(error);
  }
  return compare();
};
