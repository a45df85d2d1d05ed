/**
 * Whether a project exists and which projects it lies in, from metadata. What was found is believed
 * for a while; what was not is asked again.
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
/** Deeper than metadata lets projects lie in each other; ends what would go round in a circle. */
const ANCESTORS_MAX = 16;

type Known = {
  readonly id: string;
  /** Of the project in which it lies; undefined = in none. */
  readonly parent: string | undefined;
  readonly untilMs: number;
};

export const createProjectDirectory = (clock: Clock, transport: Transport): Projects => {
  const client = createClient(ProjectService, transport);
  const known = new Map<string, Known>();
  const look = async (project: string, signal: AbortSignal): Promise<Known | undefined> => {
    const key = keyOf(project);
    const before = known.get(key);
    if (before !== undefined && before.untilMs > clock.monotonicMs()) return before;
    known.delete(key);
    try {
      const request = { name: `projects/${project}` };
      const options = { signal, timeoutMs: CALL_MS };
      const { project: found } = await asDomain(client.getProject(request, options));
      const made: Known = {
        id: PROJECT.parse(found?.name ?? '')?.project ?? project,
        parent: PROJECT.parse(found?.spec?.parentProject ?? '')?.project,
        untilMs: clock.monotonicMs() + BELIEVED_MS,
      };
      if (known.size >= PROJECTS_MAX) known.clear();
      known.set(key, made);
      return made;
    } catch (error) {
      if (isDomainError(error, 'not_found')) return undefined;
      throw error;
    }
  };
  return {
    find: async (project, signal) => {
      const found = await look(project, signal);
      if (found === undefined) return undefined;
      const ancestors: string[] = [];
      for (let { parent } = found; parent !== undefined; ) {
        ancestors.push(keyOf(parent));
        if (ancestors.length >= ANCESTORS_MAX) break;
        parent = (await look(parent, signal))?.parent;
      }
      return { id: found.id, ancestors };
    },
  };
};

const PROJECT = namePattern('projects/{project}');
