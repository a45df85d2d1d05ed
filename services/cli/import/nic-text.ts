/** A network interface as a cell: "02:00:00:00:00:0a", "02:00:00:00:00:0a,speed=25G,primary". */
import { create } from '@bufbuild/protobuf';
import {
  type Nic,
  NicSchema,
  NicType,
} from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { UsageError } from '../usage-error.ts';

const TYPES: Readonly<Record<string, NicType>> = {
  physical: NicType.PHYSICAL,
  bmc: NicType.BMC,
};

const typeOfLabel = (label: string): NicType =>
  /^bmc\b/i.test(label) ? NicType.BMC : NicType.PHYSICAL;

/** Errors: UsageError. */
export const parseNic = (label: string, text: string): Nic => {
  const nic = create(NicSchema, { label, type: typeOfLabel(label) });
  for (const [index, part] of text.split(',').entries()) {
    const [word = '', value] = part.trim().split('=', 2);
    const name = word.toLowerCase();
    if (name === 'primary' && value === undefined) nic.primary = true;
    else if (name === 'speed' && value !== undefined) nic.speedBitsPerSecond = speedOf(value);
    else if (name === 'type' && TYPES[value ?? ''] !== undefined)
      nic.type = TYPES[value ?? ''] ?? 0;
    else if (index === 0 && value === undefined) nic.mac = name.replaceAll('-', ':');
    else {
      throw new UsageError(
        `"${part.slice(0, 40)}" is nothing of an interface`,
        'write MAC[,speed=25G][,type=bmc][,primary]',
      );
    }
  }
  return nic;
};

const UNITS: readonly (readonly [unit: string, bits: bigint])[] = [
  ['G', 10n ** 9n],
  ['M', 10n ** 6n],
  ['', 1n],
];

const speedOf = (text: string): bigint => {
  const [, number, unit = ''] = /^(\d{1,12})([GM]?)$/i.exec(text) ?? [];
  const bits = UNITS.find(([name]) => name === unit.toUpperCase())?.[1] ?? 1n;
  if (number !== undefined) return BigInt(number) * bits;
  throw new UsageError(`"${text.slice(0, 40)}" is no speed`, 'write it like 25G or 100M');
};

const speedText = (bits: bigint): string => {
  const [unit, size] = UNITS.find(([, one]) => bits % one === 0n) ?? ['', 1n];
  return `${bits / size}${unit}`;
};

/** What `parseNic` reads as the same, where it can. */
export const nicText = ({ label, mac, type, speedBitsPerSecond, primary }: Nic): string => {
  const word = Object.keys(TYPES).find((one) => TYPES[one] === type) ?? '';
  const isTold = type !== typeOfLabel(label) || mac === '';
  return [
    mac,
    speedBitsPerSecond > 0n ? `speed=${speedText(speedBitsPerSecond)}` : '',
    isTold && word !== '' ? `type=${word}` : '',
    primary ? 'primary' : '',
  ]
    .filter((part) => part !== '')
    .join(',');
};
