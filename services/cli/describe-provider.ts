import {
  type Bmc,
  BmcType,
  BmcTypeSchema,
  type Disk,
  DiskTypeSchema,
  type Facts,
  type Location,
  type Nic,
  NicType,
} from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import {
  type Provider,
  ProviderType,
  ProviderTypeSchema,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { distanceText } from './distance-to.ts';
import { formatAmount } from './format/amount.ts';
import { enumWord } from './format/enum-word.ts';
import { propertyText } from './format/property.ts';
import { formatSizeBytes } from './format/size.ts';
import { formatLocalTime } from './format/span.ts';
import { formatFields } from './format/table.ts';
import { lastSegment } from './resource-names.ts';

export type Field = [string, string];

/** What is declared of a provider, where it stands, then what was read of it. */
export const describeProvider = (provider: Provider, standing: readonly Field[] = []): string => {
  const { spec, status } = provider;
  const observed = status?.observedFacts;
  return formatFields([
    ['name', provider.name],
    ['uid', provider.uid],
    ['type', enumWord(ProviderTypeSchema, spec?.type ?? ProviderType.UNSPECIFIED)],
    ...standing,
    ['provisioned', spec?.neverProvision ? 'never: nobody gets it, and nothing disturbs it' : ''],
    ['problem', status?.problem?.message ?? ''],
    ['capabilities', (spec?.capabilities ?? []).join(' ')],
    ['groups', (spec?.groups ?? []).join(' ')],
    ['stands', spec?.location ? locationText(spec.location) : ''],
    ['part of', lastSegment(spec?.parentProvider ?? '')],
    ...(spec?.distances ?? []).map((one): Field => ['distance', distanceText(one)]),
    ...(spec?.inventories ?? []).map(
      (one): Field => [
        one.resourceType,
        `${formatAmount(one.resourceType, one.total)}` +
          ` (${formatAmount(one.resourceType, one.reserved)} kept back,` +
          ` ratio ${(one.allocationRatioMilli || 1000) / 1000})`,
      ],
    ),
    ...(spec?.agentPools ?? []).map(
      (pool): Field => [`agents for ${pool.role}`, pool.agents.map(lastSegment).join(' ')],
    ),
    ['bmc', spec?.bmc ? bmcText(spec.bmc) : ''],
    ['certificate', spec?.bmc?.certificateSha256 ?? ''],
    ...(spec?.nics ?? []).map((one): Field => ['nic', nicText(one)]),
    ...(observed ? seenFields(observed) : declaredFields(spec?.facts)),
    ['read', status?.observeTime ? formatLocalTime(status.observeTime) : ''],
    ['tags', provider.tags.join(' ')],
    ...Object.entries(provider.properties).map(([key, value]): Field => [key, propertyText(value)]),
    ['created', formatLocalTime(provider.createTime)],
  ]);
};

const locationText = ({ rack, position, height, note }: Location): string => {
  const units = height > 1 ? `units ${position} to ${position + height - 1}` : `unit ${position}`;
  return [rack && `rack ${rack}`, position > 0 && units, note].filter(Boolean).join(', ');
};

const bmcText = ({ type, address, secret }: Bmc): string => {
  if (type === BmcType.NONE) return 'none';
  const protocol = type === BmcType.UNSPECIFIED ? '' : `${enumWord(BmcTypeSchema, type)} at `;
  return `${protocol}${address}${secret === '' ? ', no secret' : `, secret ${secret}`}`;
};

const GIGA = 1_000_000_000n;

const speedText = (bitsPerSecond: bigint): string =>
  bitsPerSecond % GIGA === 0n
    ? `${bitsPerSecond / GIGA} Gbit/s`
    : `${bitsPerSecond / 1_000_000n} Mbit/s`;

const nicText = ({ label, mac, type, speedBitsPerSecond, primary }: Nic): string => {
  const speed = speedBitsPerSecond > 0n ? speedText(speedBitsPerSecond) : '';
  const marks = [type === NicType.BMC && 'of the BMC', primary && 'boots'].filter(Boolean);
  return [label, mac, speed, marks.join(', ')].filter(Boolean).join('  ');
};

const diskText = ({ label, model, sizeBytes, serialNumber, type }: Disk): string =>
  [
    label,
    sizeBytes > 0n ? formatSizeBytes(sizeBytes) : '',
    type === 0 ? '' : enumWord(DiskTypeSchema, type),
    model,
    serialNumber,
  ]
    .filter(Boolean)
    .join('  ');

const declaredFields = (facts: Facts | undefined): Field[] =>
  facts === undefined ? [] : identityFields(facts);

const identityFields = (facts: Facts): Field[] => [
  ['hardware', [facts.vendor, facts.model].filter(Boolean).join(' ')],
  ['serial', facts.serialNumber],
  ['smbios uuid', facts.smbiosUuid],
];

const FIRMWARE_SHOWN = 4;

const threadsText = (count: number): string =>
  count === 0 ? '' : `${count} thread${count === 1 ? '' : 's'}`;

const seenFields = (facts: Facts): Field[] => {
  const { cpuSockets, cpuModel, cpuThreads, memoryBytes, architecture } = facts;
  const sockets = cpuSockets > 1 ? `${cpuSockets} × ` : '';
  const cpu = [`${sockets}${cpuModel}`, threadsText(cpuThreads), architecture];
  const more = facts.firmware.length - FIRMWARE_SHOWN;
  return [
    ...identityFields(facts),
    ['processors', cpu.filter(Boolean).join(', ')],
    ['memory', memoryBytes > 0n ? formatSizeBytes(memoryBytes) : ''],
    ...facts.disks.map((one): Field => ['disk', diskText(one)]),
    ...facts.nics.map((one): Field => ['nic seen', nicText(one)]),
    ...facts.firmware
      .slice(0, FIRMWARE_SHOWN)
      .map((one): Field => ['firmware', `${one.component} ${one.version}`]),
    ['', more > 0 ? `and ${more} more; --json shows them` : ''],
  ];
};
