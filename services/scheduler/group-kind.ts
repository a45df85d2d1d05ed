/** Between the kinds of provider groups of the contract and those of the domain. */
import { GroupKind as GroupKindMessage } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import type { GroupKind } from './domain/topology.ts';

export const GROUP_KIND_MESSAGES: Readonly<Record<GroupKind, GroupKindMessage>> = {
  site: GroupKindMessage.SITE,
  row: GroupKindMessage.ROW,
  rack: GroupKindMessage.RACK,
  power: GroupKindMessage.POWER,
  aggregate: GroupKindMessage.AGGREGATE,
};

const KINDS: ReadonlyMap<GroupKindMessage, GroupKind> = new Map(
  (['site', 'row', 'rack', 'power', 'aggregate'] as const).map((kind) => [
    GROUP_KIND_MESSAGES[kind],
    kind,
  ]),
);

/** undefined = none is given, or one that this program does not know. */
export const groupKindOf = (message: GroupKindMessage | undefined): GroupKind | undefined =>
  KINDS.get(message ?? GroupKindMessage.UNSPECIFIED);
