import { createClient, type Transport } from '@connectrpc/connect';
import { SecretService } from '../../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import type { SecretPort } from '../neighbours-port.ts';

const CALL_MS = 10_000;

/** Asked in this service's own name: values are for services and agents, never for callers. */
export const createSecretClient = (transport: Transport): SecretPort => {
  const secrets = createClient(SecretService, transport);
  return {
    reveal: async ({ name, purpose }, signal) => {
      try {
        const options = { signal, timeoutMs: CALL_MS };
        const found = await asDomain(secrets.revealSecret({ name, purpose }, options));
        const { data, stagedData: staged, generation } = found;
        return { data, staged, generation };
      } catch (error) {
        if (isDomainError(error, 'not_found')) return undefined;
        throw error;
      }
    },
    stage: async (asked, signal) => {
      const request = { ...asked, data: { ...asked.data } };
      await asDomain(secrets.stageSecret(request, { signal, timeoutMs: CALL_MS }));
    },
    promote: async (asked, signal) => {
      await asDomain(secrets.promoteSecret(asked, { signal, timeoutMs: CALL_MS }));
    },
  };
};
