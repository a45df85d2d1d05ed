import { createClient, type Transport } from '@connectrpc/connect';
import { ProjectService } from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';

const CALL_MS = 5_000;

/** Who is told of the claims of a project; nobody when it is gone. */
export const createContactsClient = (transport: Transport) => {
  const projects = createClient(ProjectService, transport);
  return async (project: string, signal: AbortSignal): Promise<readonly string[]> => {
    try {
      const request = { name: `projects/${project}` };
      const { project: found } = await asDomain(
        projects.getProject(request, { signal, timeoutMs: CALL_MS }),
      );
      return found?.spec?.contacts ?? [];
    } catch (error) {
      if (isDomainError(error, 'not_found')) return [];
      throw error;
    }
  };
};
