import {
  type Machine,
  MachineSchema,
  MachineState,
  MachineStateSchema,
  MachineType,
  PowerStateSchema,
} from '../../../../gen/runmachine/machine/v1/machine_pb.ts';
import { deviceText } from '../../boot-device.ts';
import type { Context } from '../../command.ts';
import type { Noun } from '../../crud.ts';
import { enumWord } from '../../format/enum-word.ts';
import { formatSizeBytes } from '../../format/size.ts';
import { formatAgo, formatLocalTime } from '../../format/span.ts';
import { formatFields } from '../../format/table.ts';
import { inProject, lastSegment } from '../../resource-names.ts';

export const machineNoun: Noun<typeof MachineSchema> = {
  singular: 'machine',
  schema: MachineSchema,
  name: (machine) => machine.name,
  fullName: (context, typed) => inProject(context.settings, 'machines', typed),
  columns: [
    { title: 'NAME', value: (machine) => lastSegment(machine.name) },
    { title: 'STATE', value: (machine) => stateWord(machine) },
    { title: 'ON', value: (machine) => (isMetal(machine) ? 'metal' : 'vm') },
    { title: 'CPUS', value: (machine) => cpusOf(machine) },
    { title: 'MEMORY', value: (machine) => formatSizeBytes(machine.spec?.memoryBytes ?? 0n) },
    { title: 'BOOT', value: (machine) => bootWord(machine) },
    { title: 'PROVIDER', value: (machine) => lastSegment(machine.status?.provider ?? '') },
    { title: 'PROBLEM', value: (machine) => machine.status?.problem?.reason ?? '' },
  ],
  people: (machine, context) => describe(machine, context),
};

export const stateWord = (machine: Machine): string =>
  enumWord(MachineStateSchema, machine.status?.state ?? MachineState.UNSPECIFIED);

const isMetal = ({ spec }: Machine): boolean => spec?.type === MachineType.BARE_METAL;

/** A server is taken whole; how many it has is its provider's to say. */
const cpusOf = (machine: Machine): string =>
  isMetal(machine) ? '' : String(machine.spec?.cpus || 1);

const bootWord = (machine: Machine): string => {
  const source = machine.spec?.boot?.source;
  if (source?.case === 'image' || source?.case === 'media') return lastSegment(source.value);
  return source?.case ?? 'none';
};

const describe = (machine: Machine, context: Context): string => {
  const status = machine.status;
  const boot = status?.boot;
  const now = context.clock.now();
  return formatFields([
    ['name', machine.name],
    ['uid', machine.uid],
    ['state', stateWord(machine)],
    ['problem', status?.problem ? `${status.problem.reason}: ${status.problem.message}` : ''],
    ['operation', lastSegment(status?.operation ?? '')],
    ['power', status ? enumWord(PowerStateSchema, status.power) : ''],
    ['provider', lastSegment(status?.provider ?? '')],
    ['claim', lastSegment(status?.claim ?? '')],
    ['boot', bootWord(machine)],
    ['on', isMetal(machine) ? 'metal' : 'vm'],
    ['boot device', isMetal(machine) ? deviceText(status?.bootDevice) : ''],
    ['cpus', cpusOf(machine)],
    ['memory', formatSizeBytes(machine.spec?.memoryBytes ?? 0n)],
    ['disk', formatSizeBytes(machine.spec?.diskBytes ?? 0n)],
    ['processors', status?.emulated ? 'emulated (slow)' : ''],
    ['boots', boot ? String(boot.bootCount) : ''],
    ['booted', boot?.startTime ? formatAgo(boot.startTime, now) : ''],
    ['boot id', boot?.bootId ?? ''],
    ['kernel', boot?.kernelRelease ?? ''],
    ['phoned home', boot?.phoneHomeTime ? formatLocalTime(boot.phoneHomeTime) : ''],
    ['ports', (status?.ports ?? []).map((p) => `${p.hostPort}→${p.guestPort}`).join(' ')],
    ['tags', machine.tags.join(' ')],
    ['created', formatLocalTime(machine.createTime)],
  ]);
};
