/**
 * Columns of a spreadsheet of providers. Lists are separated by blanks or semicolons; what belongs
 * to something that has a name of its own carries it behind a colon: "nic:eth0", "property:zone".
 */
import { create } from '@bufbuild/protobuf';
import type { PropertyValue } from '../../../gen/runmachine/common/v1/property_pb.ts';
import {
  type ProviderGroup,
  ProviderGroupSchema,
} from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import {
  type Bmc,
  BmcSchema,
  BmcType,
  type Facts,
  FactsSchema,
  type Location,
  LocationSchema,
} from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  AgentPoolSchema,
  type Provider,
  ProviderSchema,
  type ProviderSpec,
  ProviderSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { closest } from '../closest.ts';
import { parseProviderType } from '../format/provider-type.ts';
import { parseInventory } from '../inventory-text.ts';
import { parseProperty } from '../property-options.ts';
import { UsageError } from '../usage-error.ts';
import {
  demandNoGroup,
  GROUP_COLUMNS,
  type GroupRow,
  groupOf,
  isGroupRow,
} from './group-columns.ts';
import { parseNic } from './nic-text.ts';

type Draft = {
  readonly spec: ProviderSpec;
  readonly tags: string[];
  readonly properties: { [key: string]: PropertyValue };
  readonly home: Home;
};

/** What names without one mean. */
export type Home = { readonly partition: string; readonly project: string };

/** What a column does with a cell that is not empty. Errors: UsageError. */
type Column = {
  readonly put: (draft: Draft, text: string) => void;
  /** Field that it is about, as an update mask names it; absent: none. */
  readonly path?: string;
};

const listOf = (text: string): string[] => text.split(/[\s;]+/).filter((part) => part !== '');

type Part<T> = Partial<Omit<T, '$typeName' | '$unknown'>>;

/** Each says its own field: what no column says stays. */
const location = (field: string, part: (text: string) => Part<Location>): Column => ({
  path: `spec.location.${field}`,
  put: ({ spec }, text) => {
    spec.location = { ...(spec.location ?? create(LocationSchema)), ...part(text) };
  },
});

const bmc = (field: string, part: (text: string, home: Home) => Part<Bmc>): Column => ({
  path: `spec.bmc.${field}`,
  put: ({ spec, home }, text) => {
    spec.bmc = { ...(spec.bmc ?? create(BmcSchema)), ...part(text, home) };
  },
});

const facts = (field: string, part: (text: string) => Part<Facts>): Column => ({
  path: `spec.facts.${field}`,
  put: ({ spec }, text) => {
    spec.facts = { ...(spec.facts ?? create(FactsSchema)), ...part(text) };
  },
});

const wholeNumber = (text: string): number => {
  if (!/^\d{1,6}$/.test(text)) throw new UsageError(`"${text}" is no whole number`);
  return Number(text);
};

const yesOrNo = (text: string): boolean => {
  const word = text.toLowerCase();
  if (word === 'yes' || word === 'true') return true;
  if (word === 'no' || word === 'false') return false;
  throw new UsageError(`"${text}" is neither yes nor no`);
};

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const uuidOf = (text: string): string => {
  const uuid = text.toLowerCase();
  if (UUID.test(uuid)) return uuid;
  throw new UsageError(`"${text.slice(0, 60)}" is no UUID`);
};

const BMC_TYPES: Readonly<Record<string, BmcType>> = {
  redfish: BmcType.REDFISH,
  ipmi: BmcType.IPMI,
  none: BmcType.NONE,
};

const bmcType = (text: string): BmcType => {
  const type = BMC_TYPES[text.toLowerCase()];
  if (type !== undefined) return type;
  throw new UsageError(`"${text}" is none of ${Object.keys(BMC_TYPES).join(', ')}`);
};

/** Read where the row is a group. */
const OF_GROUPS: Column = { put: () => undefined };

const COLUMNS: Readonly<Record<string, Column>> = {
  // Read by the reader of rows.
  name: { put: () => undefined },
  type: {
    path: 'spec.type',
    put: ({ spec }, text) => {
      spec.type = parseProviderType(text);
    },
  },
  parent: {
    path: 'spec.parent_provider',
    put: ({ spec, home }, text) => {
      const parent = `partitions/${home.partition}/providers`;
      spec.parentProvider = text.includes('/') ? text : `${parent}/${text}`;
    },
  },
  groups: { path: 'spec.groups', put: ({ spec }, text) => void spec.groups.push(...listOf(text)) },
  capabilities: {
    path: 'spec.capabilities',
    put: ({ spec }, text) => void spec.capabilities.push(...listOf(text)),
  },
  tags: { path: 'tags', put: ({ tags }, text) => void tags.push(...listOf(text)) },
  never_provision: {
    path: 'spec.never_provision',
    put: ({ spec }, text) => {
      spec.neverProvision = yesOrNo(text);
    },
  },
  rack: location('rack', (rack) => ({ rack })),
  position: location('position', (text) => ({ position: wholeNumber(text) })),
  height: location('height', (text) => ({ height: wholeNumber(text) })),
  note: location('note', (note) => ({ note })),
  'bmc.type': bmc('type', (text) => ({ type: bmcType(text) })),
  'bmc.address': bmc('address', (address) => ({ address })),
  'bmc.ipmi_address': bmc('ipmi_address', (ipmiAddress) => ({ ipmiAddress })),
  'bmc.secret': bmc('secret', (text, { project }) => ({
    secret: text.includes('/') ? text : `projects/${project}/secrets/${text}`,
  })),
  'bmc.certificate': bmc('certificate_sha256', (text) => ({
    certificateSha256: text.toLowerCase().replaceAll(':', ''),
  })),
  serial: facts('serial_number', (serialNumber) => ({ serialNumber })),
  uuid: facts('smbios_uuid', (text) => ({ smbiosUuid: uuidOf(text) })),
  vendor: facts('vendor', (vendor) => ({ vendor })),
  model: facts('model', (model) => ({ model })),
  ...Object.fromEntries(Object.keys(GROUP_COLUMNS).map((title) => [title, OF_GROUPS])),
};

/** Columns with a name of their own behind a colon. */
const NAMED: Readonly<Record<string, (name: string) => Column>> = {
  nic: (label) => ({
    path: 'spec.nics',
    put: ({ spec }, text) => void spec.nics.push(parseNic(label, text)),
  }),
  inventory: (code) => ({
    path: 'spec.inventories',
    put: ({ spec }, text) => void spec.inventories.push(parseInventory(`${code}=${text}`, code)),
  }),
  property: (key) => ({
    path: 'properties',
    put: ({ properties }, text) => {
      const [name, value] = parseProperty(`${key}=${text}`);
      properties[name] = value;
    },
  }),
  agents: (role) => ({
    path: 'spec.agent_pools',
    put: ({ spec, home }, text) => {
      const agents = listOf(text).map((agent) =>
        agent.includes('/') ? agent : `partitions/${home.partition}/agents/${agent}`,
      );
      spec.agentPools.push(create(AgentPoolSchema, { role, agents }));
    },
  }),
};

export const COLUMN_WORDS = [
  ...Object.keys(COLUMNS),
  ...['nic:LABEL', 'inventory:TYPE', 'property:KEY', 'agents:ROLE'],
].join(', ');

export type Row =
  | { readonly kind: 'provider'; readonly provider: Provider }
  /** What `paths` does not name stays as it is. */
  | { readonly kind: 'group'; readonly group: ProviderGroup; readonly paths: readonly string[] };

export type Sheet = {
  /** How many columns there are. */
  readonly width: number;
  readonly paths: readonly string[];
  readonly nameOf: (cells: readonly string[]) => string;
  /** Errors: UsageError naming the column. */
  readonly rowOf: (cells: readonly string[], home: Home) => Row;
};

/** Errors: UsageError naming the columns that are not known, doubled or missing. */
export const sheetOf = (titles: readonly string[]): Sheet => {
  const names = titles.map((title) => title.trim());
  const columns = names.map(columnOf);
  const keys = names.map((name) => name.toLowerCase());
  const doubled = keys.find((key, index) => keys.indexOf(key) !== index);
  if (doubled !== undefined) throw new UsageError(`the column "${doubled}" stands there twice`);
  const at = keys.indexOf('name');
  if (at < 0) throw new UsageError('the column "name" is missing');
  const paths = new Set(columns.flatMap(({ path }) => path ?? []));
  // Who stands in a rack is in it.
  if (keys.includes('rack')) paths.add('spec.groups');
  // A new provider needs its type; one that is there keeps its own.
  if (paths.size > 1) paths.delete('spec.type');
  const holdsGroups = keys.some((key) => key in GROUP_COLUMNS);
  if (paths.size === 0 && !holdsGroups) {
    throw new UsageError('there is no column beside "name"');
  }
  return {
    width: names.length,
    paths: [...paths],
    nameOf: (cells) => (cells[at] ?? '').trim(),
    rowOf: (cells, home) => {
      const draft: Draft = {
        spec: create(ProviderSpecSchema),
        tags: [],
        properties: {},
        home,
      };
      for (const [index, column] of columns.entries()) {
        const text = (cells[index] ?? '').trim();
        if (text !== '') putCell(draft, { column, text, title: names[index] ?? '' });
      }
      const { spec, tags, properties } = draft;
      const row = holdsGroups ? groupRow(keys, cells) : undefined;
      if (row !== undefined && isGroupRow(row)) {
        const { spec: said, paths: told } = groupOf(row);
        const group = create(ProviderGroupSchema, { spec: said, tags, properties });
        return { kind: 'group', group, paths: told };
      }
      if (row !== undefined) demandNoGroup(row);
      if (paths.size === 0) throw new UsageError('there is no column for a provider');
      const rack = spec.location?.rack ?? '';
      if (rack !== '' && !spec.groups.some((group) => sameId(group, rack))) spec.groups.push(rack);
      return { kind: 'provider', provider: create(ProviderSchema, { spec, tags, properties }) };
    },
  };
};

const sameId = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

type Cell = { readonly column: Column; readonly text: string; readonly title: string };

/** A spreadsheet program would run it, and a person who exports from one did not mean it. */
const FORMULA = /^[=+@]/;

/** Text that would be one, behind the apostrophe by which spreadsheet programs tell it. */
const GUARDED = /^'(?=[=+@-])/;

const groupRow = (titles: readonly string[], cells: readonly string[]): GroupRow => {
  const texts = titles.map((title, index): [string, string] => [
    title,
    (cells[index] ?? '').trim().replace(GUARDED, ''),
  ]);
  return { titles, cells: new Map(texts.filter(([, text]) => text !== '')) };
};

const putCell = (draft: Draft, { column, text, title }: Cell): void => {
  if (FORMULA.test(text)) {
    throw new UsageError(
      `column "${title}" holds the formula "${text.slice(0, 40)}"; give its value instead`,
    );
  }
  try {
    column.put(draft, text.replace(GUARDED, ''));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`column "${title}": ${error.message}`, error.cure);
  }
};

const columnOf = (title: string): Column => {
  const at = title.indexOf(':');
  const [word, name] = at < 0 ? [title, ''] : [title.slice(0, at), title.slice(at + 1).trim()];
  const found = at < 0 ? COLUMNS[word.toLowerCase()] : NAMED[word.toLowerCase()]?.(name);
  if (found !== undefined && (at < 0 || name !== '')) return found;
  const known = [...Object.keys(COLUMNS), ...Object.keys(NAMED).map((one) => `${one}:`)];
  const nearest = closest(title.toLowerCase(), known);
  throw new UsageError(
    `there is no column "${title.slice(0, 60)}"`,
    nearest
      ? `did you mean "${nearest}"? Columns are ${COLUMN_WORDS}`
      : `columns are ${COLUMN_WORDS}`,
  );
};
