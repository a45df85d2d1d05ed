import { GroupKind, GroupKindSchema } from '../../../../gen/runmachine/common/v1/group_kind_pb.ts';
import {
  type ProviderGroup,
  ProviderGroupSchema,
} from '../../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import type { Noun } from '../../crud.ts';
import { distanceText } from '../../distance-to.ts';
import { enumWord } from '../../format/enum-word.ts';
import { propertyText } from '../../format/property.ts';
import { formatLocalTime } from '../../format/span.ts';
import { formatFields } from '../../format/table.ts';
import { inPartition, lastSegment } from '../../resource-names.ts';

const kind = (group: ProviderGroup): string =>
  enumWord(GroupKindSchema, group.spec?.kind ?? GroupKind.UNSPECIFIED);

const members = (group: ProviderGroup): string => String(group.status?.members ?? 0);

export const groupNoun: Noun<typeof ProviderGroupSchema> = {
  singular: 'group',
  schema: ProviderGroupSchema,
  name: (group) => group.name,
  fullName: (context, typed) => inPartition(context.settings, 'groups', typed),
  columns: [
    { title: 'NAME', value: (group) => lastSegment(group.name) },
    { title: 'KIND', value: kind },
    { title: 'INSIDE', value: (group) => group.spec?.parentGroup ?? '' },
    { title: 'MEMBERS', value: members },
    { title: 'DESCRIPTION', value: (group) => group.spec?.description ?? '' },
  ],
  people: (group) =>
    formatFields([
      ['name', group.name],
      ['uid', group.uid],
      ['kind', kind(group)],
      ['inside', group.spec?.parentGroup ?? ''],
      ['members', members(group)],
      ['shares', (group.spec?.sharedProviders ?? []).join(' ')],
      ...(group.spec?.distances ?? []).map((one): [string, string] => [
        'distance',
        distanceText(one),
      ]),
      ['description', group.spec?.description ?? ''],
      ['tags', group.tags.join(' ')],
      ...Object.entries(group.properties).map(([key, value]): [string, string] => [
        key,
        propertyText(value),
      ]),
      ['created', formatLocalTime(group.createTime)],
    ]),
};
