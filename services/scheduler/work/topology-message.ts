/** From inventory's messages to what placement knows of places. */
import { durationMs } from '@bufbuild/protobuf/wkt';
import { GroupKind as GroupKindMessage } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import type {
  Distance as DistanceMessage,
  DistanceType,
} from '../../../gen/runmachine/inventory/v1/distance_pb.ts';
import type { Partition } from '../../../gen/runmachine/inventory/v1/partition_pb.ts';
import type { ProviderGroup } from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { namePattern } from '../../runtime/names.ts';
import { keyOf } from '../domain/claim.ts';
import type { Distance, DistanceTypeFacts, GroupFacts, GroupKind } from '../domain/topology.ts';
import { providerTypeOf } from './provider-type.ts';

const GROUP = namePattern('partitions/{partition}/groups/{group}');
const DISTANCE_TYPE = namePattern('distanceTypes/{code}');

const KINDS: ReadonlyMap<GroupKindMessage, GroupKind> = new Map<GroupKindMessage, GroupKind>([
  [GroupKindMessage.SITE, 'site'],
  [GroupKindMessage.ROW, 'row'],
  [GroupKindMessage.RACK, 'rack'],
  [GroupKindMessage.POWER, 'power'],
  [GroupKindMessage.AGGREGATE, 'aggregate'],
]);

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
      kind: KINDS.get(spec?.kind ?? GroupKindMessage.UNSPECIFIED) ?? 'aggregate',
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
    sharedKind: KINDS.get(step.sharedKind),
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
