/** From inventory's messages to what placement knows of places. */
import { durationMs } from '@bufbuild/protobuf/wkt';
import type {
  Distance as DistanceMessage,
  DistanceType,
} from '../../../gen/runmachine/inventory/v1/distance_pb.ts';
import type { Partition } from '../../../gen/runmachine/inventory/v1/partition_pb.ts';
import type { ProviderGroup } from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { namePattern } from '../../runtime/names.ts';
import { keyOf } from '../domain/claim.ts';
import type { Distance, DistanceTypeFacts, GroupFacts } from '../domain/topology.ts';
import { groupKindOf } from '../group-kind.ts';
import { providerTypeOf } from './provider-type.ts';

const GROUP = namePattern('partitions/{partition}/groups/{group}');
const DISTANCE_TYPE = namePattern('distanceTypes/{code}');

export const distanceOf = ({ type, group, step }: DistanceMessage): Distance => ({
  type,
  group: keyOf(group),
  step,
});

export type LocatedGroup = { readonly partition: string; readonly group: GroupFacts };

/** With the partition as its key; undefined when its name is none of a group. */
export const groupOf = ({ name, spec }: ProviderGroup): LocatedGroup | undefined => {
  const parsed = GROUP.parse(name);
  if (parsed === undefined) return undefined;
  const parent = keyOf(spec?.parentGroup ?? '');
  return {
    partition: keyOf(parsed.partition),
    group: {
      id: keyOf(parsed.group),
      // A kind of a newer program is some set or other to this one.
      kind: groupKindOf(spec?.kind) ?? 'aggregate',
      parent: parent === '' ? undefined : parent,
      sharedProviders: (spec?.sharedProviders ?? []).map(keyOf),
      distances: (spec?.distances ?? []).map(distanceOf),
    },
  };
};

export const distanceTypeOf = ({ name, spec }: DistanceType): DistanceTypeFacts | undefined => {
  const code = DISTANCE_TYPE.parse(name)?.code;
  if (code === undefined) return undefined;
  const steps = (spec?.steps ?? []).map((step) => ({
    code: step.code,
    position: step.position,
    sharedKind: groupKindOf(step.sharedKind),
  }));
  return { code, steps: steps.toSorted((a, b) => a.position - b.position) };
};

/** By provider type; those without a turnaround are left out. */
export const turnaroundOf = ({ spec }: Partition): ReadonlyMap<string, number> =>
  new Map(
    (spec?.providerTypes ?? []).flatMap(({ type, turnaround }): [string, number][] => {
      const ms = turnaround === undefined ? 0 : durationMs(turnaround);
      return ms > 0 ? [[providerTypeOf(type), ms]] : [];
    }),
  );
