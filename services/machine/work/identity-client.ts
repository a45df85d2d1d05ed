import { createClient, type Transport } from '@connectrpc/connect';
import { TrustService } from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { createIntrospection } from '../../runtime/rpc/introspection.ts';
import type { IdentityPort } from '../neighbours-port.ts';

const CALL_MS = 10_000;

export const createIdentityClient = (transport: Transport): IdentityPort => {
  const trust = createClient(TrustService, transport);
  return {
    findPrincipal: createIntrospection(transport).lookUpPrincipal,
    findAgent: async (uid, signal) => {
      try {
        const credential = { case: 'principal', value: `agents/${uid}` } as const;
        const options = { signal, timeoutMs: CALL_MS };
        const found = await asDomain(trust.introspect({ credential }, options));
        return found.agent === '' ? undefined : { name: found.agent, roles: found.agentRoles };
      } catch (error) {
        if (isDomainError(error, 'unauthenticated') || isDomainError(error, 'not_found')) {
          return undefined;
        }
        throw error;
      }
    },
  };
};
