import { create } from '@bufbuild/protobuf';
import {
  type AspectReport,
  AspectReportSchema,
  type ProbeReport,
  ProbeReportSchema,
} from '../../../gen/runmachine/machine/v1/hardware_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type AspectName, type Aspects, type Bmc, BmcError, type Offer } from '../bmc-port.ts';
import { type BmcAccess, mayPassOver } from './bmc-access.ts';
import type { ControllerRef, DriverName } from './controller-ref.ts';
import { shareable } from './shareable.ts';

const ASPECTS: readonly AspectName[] = [
  'power',
  'bootDevice',
  'media',
  'sensors',
  'log',
  'facts',
  'bios',
  'indicator',
  'accounts',
  'console',
  'raw',
];

type Opened = { readonly driver: DriverName; readonly bmc: Bmc };
type Setting = {
  readonly ref: ControllerRef;
  readonly access: BmcAccess;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

/** What one controller is and offers, found out by reading only, without its address. */
export const probe = async (setting: Setting): Promise<ProbeReport> => {
  const { access, ref } = setting;
  const remarks: string[] = [];
  const opened: Opened[] = [];
  let failed: BmcError | undefined;
  for (const driver of access.drivers) {
    try {
      opened.push({ driver, bmc: (await access.session(driver)).bmc });
    } catch (error) {
      if (!(error instanceof BmcError)) throw error;
      failed ??= error;
      remarks.push(short(`${driver}: ${shareable(ref, error.message)}`));
      // The other protocol asks for the same account.
      if (error.fault === 'unauthorized') break;
    }
  }
  const [first] = opened;
  if (first === undefined) throw failed ?? new BmcError('unsupported', 'no driver is there');
  const aspects: AspectReport[] = [];
  for (const name of ASPECTS) {
    // Only Redfish is asked before another one, and where it fails it may not be replaced.
    const before = first.driver === 'ipmi' ? failed : undefined;
    const isServed = before === undefined || mayPassOver(ref, name, before);
    const whys = isServed ? [] : [`redfish: ${shareable(ref, before.message)}`];
    aspects.push(await aspectReport(setting, isServed ? opened : [], { name, whys }));
  }
  return create(ProbeReportSchema, {
    vendor: short(first.bmc.vendor),
    model: short(first.bmc.model),
    firmwareVersion: short(first.bmc.firmware),
    aspects,
    quirks: opened.flatMap(({ bmc }) => bmc.quirks),
    remarks,
  });
};

const aspectReport = async (
  setting: Setting,
  opened: readonly Opened[],
  { name, whys }: { readonly name: AspectName; readonly whys: string[] },
): Promise<AspectReport> => {
  const aspect = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  for (const { driver, bmc } of opened) {
    const offer = bmc.offers[name];
    if (offer.kind === 'not_offered') {
      whys.push(`${driver}: ${shareable(setting.ref, offer.why)}`);
      continue;
    }
    const explanation = short([shareable(setting.ref, offer.how), ...whys].join('; '));
    const read = await timedReading(setting, bmc, name);
    return create(AspectReportSchema, { aspect, offered: true, driver, explanation, ...read });
  }
  return create(AspectReportSchema, {
    aspect,
    offered: false,
    explanation: short(whys.join('; ')),
  });
};

type Timed = Pick<AspectReport, 'reading' | 'problem' | 'milliseconds'>;

const timedReading = async (
  { clock, ref, signal }: Setting,
  bmc: Bmc,
  name: AspectName,
): Promise<Timed> => {
  const begunMs = clock.monotonicMs();
  const took = () => Math.round(clock.monotonicMs() - begunMs);
  try {
    const reading = await readShortly(bmc, name, signal);
    return { reading, problem: '', milliseconds: reading === '' ? 0 : took() };
  } catch (error) {
    signal.throwIfAborted();
    const said = error instanceof BmcError ? [error.message, ...error.said] : [String(error)];
    const problem = short(shareable(ref, said.join(' ')));
    return { reading: '', problem, milliseconds: took() };
  }
};

/** Empty where reading would disturb: a console takes the line from whoever has it. */
const readShortly = async (bmc: Bmc, name: AspectName, signal: AbortSignal): Promise<string> => {
  const of = <Name extends AspectName>(one: Name): Aspects[Name] => {
    const offer: Offer<Aspects[Name]> = bmc.offers[one];
    if (offer.kind === 'offered') return offer.aspect;
    throw new BmcError('unsupported', offer.why);
  };
  switch (name) {
    case 'power':
      return of('power').read(signal);
    case 'bootDevice': {
      const { device, persistent } = await of('bootDevice').read(signal);
      return `${device}${persistent ? ', for every boot' : ''}`;
    }
    case 'media':
      return (await of('media').read(signal)) === undefined ? 'nothing inserted' : 'inserted';
    case 'sensors':
      return counted((await of('sensors').read(signal)).length, 'sensor');
    case 'log':
      return `${(await of('log').read(10, signal)).length} of the newest 10 entries`;
    case 'facts': {
      const { cpuThreads, disks, nics } = await of('facts').read(signal);
      const counts = [
        counted(cpuThreads, 'thread'),
        counted(disks.length, 'disk'),
        counted(nics.length, 'NIC'),
      ];
      return counts.join(', ');
    }
    case 'bios':
      return counted((await of('bios').read(signal)).size, 'attribute');
    case 'indicator':
      return (await of('indicator').read(signal)) ? 'lit' : 'dark';
    case 'accounts':
      return counted((await of('accounts').list(signal)).length, 'account');
    case 'console':
    case 'raw':
      return '';
    default:
      return name satisfies never;
  }
};

const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? '' : 's'}`;

const TEXT_MAX = 1_024;
const short = (text: string): string => text.slice(0, TEXT_MAX);
