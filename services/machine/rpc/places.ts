/**
 * Whether partition and project of a name exist, and how they are spelled. Asked in the caller's
 * name, then kept.
 */
import { type CallOptions, createClient } from '@connectrpc/connect';
import { ProjectService } from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { HasValues } from '../../runtime/context.ts';
import { invalidArgument, isDomainError } from '../../runtime/errors.ts';
import { isWildcard } from '../../runtime/names.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { forCaller } from '../../runtime/rpc/outgoing.ts';
import type { Connect } from '../../runtime/service.ts';
import type { Parent } from '../ports.ts';

export type Places = {
  /** Errors: invalid_argument for a wildcard, not_found naming what is missing. */
  readonly resolve: (parent: Parent, context: HasValues) => Promise<Parent>;
};

const KEPT_MS = 30_000;
const ENTRIES_MAX = 1_000;

export const createPlaces = (connect: Connect, clock: Clock): Places => {
  const projects = createClient(ProjectService, connect.transportTo('identity'));
  const partitions = createClient(PartitionService, connect.transportTo('inventory'));
  const known = new Map<string, { readonly id: string; readonly untilMs: number }>();
  const ask = async (name: string, find: (name: string) => Promise<string>): Promise<string> => {
    const key = name.toLowerCase();
    const kept = known.get(key);
    if (kept !== undefined && kept.untilMs > clock.monotonicMs()) return kept.id;
    const found = await nameOf(name, find);
    const id = found.split('/').at(-1) ?? '';
    if (known.size >= ENTRIES_MAX) known.clear();
    known.set(key, { id, untilMs: clock.monotonicMs() + KEPT_MS });
    return id;
  };
  return {
    resolve: async (parent, context) => {
      if (isWildcard(parent.partition) || isWildcard(parent.project)) throw wildcard();
      const options: CallOptions = forCaller(context);
      const [partition, project] = await Promise.all([
        ask(`partitions/${parent.partition}`, async (name) => {
          const answer = await partitions.getPartition({ name }, options);
          return answer.partition?.name ?? name;
        }),
        ask(`projects/${parent.project}`, async (name) => {
          const answer = await projects.getProject({ name }, options);
          return answer.project?.name ?? name;
        }),
      ]);
      return { partition, project };
    },
  };
};

/**
 * A role of one's own may create machines without reading projects: then the name is taken as it
 * is.
 */
const nameOf = async (name: string, find: (name: string) => Promise<string>): Promise<string> => {
  try {
    return await asDomain(find(name));
  } catch (error) {
    if (isDomainError(error, 'permission_denied')) return name;
    throw error;
  }
};

const wildcard = () =>
  invalidArgument('INVALID_FIELD', 'parent: "-" names no place to create something in', {
    metadata: { field: 'parent' },
    violations: [{ field: 'parent', description: 'must name a partition and a project' }],
  });
