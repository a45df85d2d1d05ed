/**
 * Whether a project exists, from metadata. What was found is believed for a while; what was not is
 * asked again.
 */
import { createClient, type Transport } from '@connectrpc/connect';
import { ProjectService } from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { namePattern } from '../../runtime/names.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { keyOf } from '../domain/claim.ts';
import type { Projects } from '../ports.ts';

const CALL_MS = 5_000;
const BELIEVED_MS = 60_000;
const PROJECTS_MAX = 10_000;

export const createProjectDirectory = (clock: Clock, transport: Transport): Projects => {
  const client = createClient(ProjectService, transport);
  const known = new Map<string, { readonly id: string; readonly untilMs: number }>();
  return {
    find: async (project, signal) => {
      const key = keyOf(project);
      const before = known.get(key);
      if (before !== undefined && before.untilMs > clock.monotonicMs()) return before.id;
      known.delete(key);
      try {
        const request = { name: `projects/${project}` };
        const options = { signal, timeoutMs: CALL_MS };
        const { project: found } = await asDomain(client.getProject(request, options));
        const id = PROJECT.parse(found?.name ?? '')?.project ?? project;
        if (known.size >= PROJECTS_MAX) known.clear();
        known.set(key, { id, untilMs: clock.monotonicMs() + BELIEVED_MS });
        return id;
      } catch (error) {
        if (isDomainError(error, 'not_found')) return undefined;
        throw error;
      }
    },
  };
};

const PROJECT = namePattern('projects/{project}');
