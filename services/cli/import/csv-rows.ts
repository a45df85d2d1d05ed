/** Groups and providers as rows of a spreadsheet that an import reads; see columns.ts. */
import { create, equals, isMessage } from '@bufbuild/protobuf';
import type { PropertyValue } from '../../../gen/runmachine/common/v1/property_pb.ts';
import type { Inventory } from '../../../gen/runmachine/inventory/v1/inventory_pb.ts';
import {
  type ProviderGroup,
  ProviderGroupSchema,
} from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { BmcType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { type Provider, ProviderSchema } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { providerTypeWord } from '../format/provider-type.ts';
import { parseProperty } from '../property-options.ts';
import { lastSegment } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';
import { type Home, sheetOf } from './columns.ts';
import { groupCells } from './group-columns.ts';
import { nicText } from './nic-text.ts';

export type CsvRows = {
  readonly lines: readonly string[];
  /** Names of those that say more than a row can hold. */
  readonly cut: readonly string[];
};

type Declared = {
  /** Each behind the one in which it lies. */
  readonly groups: readonly ProviderGroup[];
  readonly providers: readonly Provider[];
};

export const csvRows = ({ groups, providers }: Declared, home: Home): CsvRows => {
  const ofGroups = groups.map((group) => ({ named: group, cells: cellsOfGroup(group) }));
  const ofProviders = providers.map((one) => ({ named: one, cells: cellsOf(one) }));
  const rows = [...ofGroups, ...ofProviders];
  const titles = [...new Set(['name', ...rows.flatMap(({ cells }) => [...cells.keys()])])];
  const table = rows.map(({ named, cells }) => ({
    named,
    cells: titles.map((title) => guarded(cells.get(title) ?? '')),
  }));
  const cut = table.filter(({ named, cells }) => !isRead(named, { titles, cells, home }));
  return {
    lines: [titles, ...table.map(({ cells }) => cells)].map((cells) => cells.map(quoted).join(',')),
    cut: cut.map(({ named }) => lastSegment(named.name)),
  };
};

const cellsOfGroup = (group: ProviderGroup): ReadonlyMap<string, string> =>
  new Map(
    [
      ...groupCells(group),
      ['tags', group.tags.join(' ')] as const,
      ...Object.entries(group.properties).map(propertyCell),
    ].filter(([, text]) => text !== ''),
  );

type Written = {
  readonly titles: readonly string[];
  readonly cells: readonly string[];
  readonly home: Home;
};

/** Whether an import of the row says the same of it. */
const isRead = (named: Provider | ProviderGroup, { titles, cells, home }: Written): boolean => {
  try {
    const read = sheetOf(titles).rowOf(cells, home);
    if (isMessage(named, ProviderSchema)) {
      return (
        read.kind === 'provider' &&
        equals(ProviderSchema, declaredOf(read.provider), declaredOf(named))
      );
    }
    const { spec, tags, properties } = named;
    const declared = create(ProviderGroupSchema, { ...(spec && { spec }), tags, properties });
    return read.kind === 'group' && equals(ProviderGroupSchema, read.group, declared);
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
};

const declaredOf = ({ spec, properties, tags }: Provider): Provider => {
  const inventories = (spec?.inventories ?? []).map((one) => ({
    ...one,
    // None is said where it is 1.
    allocationRatioMilli: one.allocationRatioMilli || WHOLE_MILLI,
  }));
  return create(ProviderSchema, {
    ...(spec && { spec: { ...spec, inventories } }),
    properties,
    tags,
  });
};

const WHOLE_MILLI = 1000;

const BMC_WORDS: ReadonlyMap<BmcType, string> = new Map([
  [BmcType.REDFISH, 'redfish'],
  [BmcType.IPMI, 'ipmi'],
  [BmcType.NONE, 'none'],
]);

/** By column; what is empty is left out. */
const cellsOf = ({ name, spec, properties, tags }: Provider): ReadonlyMap<string, string> => {
  const { bmc, facts, location } = spec ?? {};
  const cells: [string, string][] = [
    ['name', lastSegment(name)],
    ['type', spec === undefined ? '' : providerTypeWord(spec.type)],
    ['parent', lastSegment(spec?.parentProvider ?? '')],
    ['groups', (spec?.groups ?? []).join(' ')],
    ['capabilities', (spec?.capabilities ?? []).join(' ')],
    ['tags', tags.join(' ')],
    ['rack', location?.rack ?? ''],
    ['position', numberText(location?.position)],
    ['height', numberText(location?.height)],
    ['note', location?.note ?? ''],
    ['bmc.type', bmc === undefined ? '' : (BMC_WORDS.get(bmc.type) ?? '')],
    ['bmc.address', bmc?.address ?? ''],
    ['bmc.ipmi_address', bmc?.ipmiAddress ?? ''],
    ['bmc.secret', bmc?.secret ?? ''],
    ['bmc.certificate', bmc?.certificateSha256 ?? ''],
    ['serial', facts?.serialNumber ?? ''],
    ['uuid', facts?.smbiosUuid ?? ''],
    ['vendor', facts?.vendor ?? ''],
    ['model', facts?.model ?? ''],
    ['never_provision', spec?.neverProvision === true ? 'yes' : ''],
    ...(spec?.nics ?? []).map((nic): [string, string] => [`nic:${nic.label}`, nicText(nic)]),
    ...(spec?.inventories ?? []).map(inventoryCell),
    ...Object.entries(properties).map(propertyCell),
    ...(spec?.agentPools ?? []).map(({ role, agents }): [string, string] => [
      `agents:${role}`,
      agents.map(lastSegment).join(' '),
    ]),
  ];
  return new Map(cells.filter(([, text]) => text !== ''));
};

const numberText = (number = 0): string => (number === 0 ? '' : String(number));

const inventoryCell = (one: Inventory): [string, string] => {
  const { total, reserved, minUnit, maxUnit, stepSize, allocationRatioMilli: ratio } = one;
  const more = [
    ['reserved', reserved],
    ['min', minUnit],
    ['max', maxUnit],
    ['step', stepSize],
    ['ratio', ratio === 0 || ratio === WHOLE_MILLI ? 0 : ratio / WHOLE_MILLI],
  ].flatMap(([word, number]) => (Number(number) === 0 ? [] : [`${word}=${number}`]));
  return [`inventory:${one.resourceType}`, [`${total}`, ...more].join(',')];
};

/** With its type where the text alone would be taken for another. */
const propertyCell = ([key, { kind }]: [string, PropertyValue]): [string, string] => {
  const text = kind.case === 'stringList' ? kind.value.values.join(',') : String(kind.value ?? '');
  const isGuessed = parseProperty(`k=${text}`)[1].kind.case === kind.case;
  const word = WORDS[kind.case ?? 'stringValue'];
  return [isGuessed ? `property:${key}` : `property:${key}:${word}`, text];
};

const WORDS = {
  stringValue: 'string',
  integerValue: 'integer',
  numberValue: 'number',
  boolValue: 'bool',
  stringList: 'list',
} as const;

/** What a spreadsheet program would run. A negative number is none. */
const RUN = /^(?:[=+@\t\r]|-(?!\d+(?:\.\d+)?$))/;

/** Behind an apostrophe, which such programs and the import leave out, it is text. */
const guarded = (text: string): string => (RUN.test(text) ? `'${text}` : text);

const quoted = (text: string): string =>
  /[",;\t\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
