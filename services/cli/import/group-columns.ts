/**
 * A row of a spreadsheet that is a group and no provider: it says its kind in the column
 * "group.kind". How far groups are apart, and what they share, stands in YAML and NDJSON alone.
 */
import { create } from '@bufbuild/protobuf';
import { GroupKindSchema } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import {
  type ProviderGroup,
  ProviderGroupSchema,
  type ProviderGroupSpec,
  ProviderGroupSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { enumWord } from '../format/enum-word.ts';
import { parseGroupKind } from '../format/group-kind.ts';
import { lastSegment } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

type GroupColumn = {
  /** Field that it is about, as an update mask names it. */
  readonly path: string;
  readonly put: (spec: ProviderGroupSpec, text: string) => void;
};

const KIND = 'group.kind';

export const GROUP_COLUMNS: Readonly<Record<string, GroupColumn>> = {
  [KIND]: {
    path: 'spec.kind',
    put: (spec, text) => {
      spec.kind = parseGroupKind(text, 'kind');
    },
  },
  'group.parent': {
    path: 'spec.parent_group',
    put: (spec, text) => {
      spec.parentGroup = lastSegment(text);
    },
  },
  'group.description': {
    path: 'spec.description',
    put: (spec, text) => {
      spec.description = text;
    },
  },
};

export type GroupRow = {
  /** Cells that are not empty, by the title of their column in lower case. */
  readonly cells: ReadonlyMap<string, string>;
  /** Titles of all columns, in lower case. */
  readonly titles: readonly string[];
};

export const isGroupRow = ({ cells }: GroupRow): boolean => cells.has(KIND);

export type DeclaredGroup = {
  readonly spec: ProviderGroupSpec;
  /** Fields of which the columns say something. */
  readonly paths: readonly string[];
};

/** What groups have as well as providers. */
const SHARED = /^(?:name|tags|property:.*)$/;

/** Errors: UsageError naming the column. */
export const groupOf = ({ cells, titles }: GroupRow): DeclaredGroup => {
  const spec = create(ProviderGroupSpecSchema);
  for (const [title, text] of cells) {
    const column = GROUP_COLUMNS[title];
    if (column !== undefined) column.put(spec, text);
    else if (!SHARED.test(title)) throw new UsageError(`column "${title}": a group has none`);
  }
  const paths = titles.flatMap((title) => GROUP_COLUMNS[title]?.path ?? []);
  if (titles.includes('tags')) paths.push('tags');
  if (titles.some((title) => title.startsWith('property:'))) paths.push('properties');
  return { spec, paths };
};

/** Errors: UsageError: it is a provider, and says something of a group. */
export const demandNoGroup = ({ cells }: GroupRow): void => {
  const title = Object.keys(GROUP_COLUMNS).find((one) => cells.has(one));
  if (title === undefined) return;
  throw new UsageError(`column "${title}": the row is no group; a group has a "${KIND}"`);
};

/** By column. */
export const groupCells = ({ name, spec }: ProviderGroup): readonly [string, string][] => [
  ['name', lastSegment(name)],
  [KIND, spec === undefined ? '' : enumWord(GroupKindSchema, spec.kind)],
  ['group.parent', spec?.parentGroup ?? ''],
  ['group.description', spec?.description ?? ''],
];

/** The group with what the file does not speak of as it was. */
export const withRest = (
  group: ProviderGroup,
  found: ProviderGroup | undefined,
  paths: readonly string[],
): ProviderGroup => {
  const says = (path: string) => paths.includes(path);
  const [before, now] = [found?.spec, group.spec ?? create(ProviderGroupSpecSchema)];
  return create(ProviderGroupSchema, {
    name: group.name,
    tags: says('tags') ? group.tags : (found?.tags ?? []),
    properties: says('properties') ? group.properties : (found?.properties ?? {}),
    spec: {
      ...(before ?? now),
      ...(says('spec.kind') && { kind: now.kind }),
      ...(says('spec.parent_group') && { parentGroup: now.parentGroup }),
      ...(says('spec.description') && { description: now.description }),
    },
  });
};
