import type { LabBootDevice, LabPower, LabPowerChange } from '../../server-port.ts';
import type { LabContext, Route, Write } from '../context.ts';
import { type Json, type LabReply, link, links, noContent, refuse } from '../message.ts';
import type { Personality } from '../personality.ts';
import { BOOT_OPTIONS, BOOT_ORDER, orderProblem, SECURE_BOOT } from './boot-options.ts';
import { indicatorNames, indicatorOf, patchIndicator } from './indicator.ts';
import { CHASSIS, MANAGER, ROOT, SYSTEM } from './paths.ts';
import { collection, HEALTHY, oneOf, resource, unknownProperty } from './shape.ts';
import { SMART_STORAGE } from './smart-storage.ts';
import { taskReply } from './task-service.ts';

/** The computer system: power, boot device, indicator (DSP0268, ComputerSystem). */
const POWER: Readonly<Record<LabPower, string>> = {
  on: 'On',
  off: 'Off',
  turning_on: 'PoweringOn',
  turning_off: 'PoweringOff',
};

type Target = { readonly name: string; readonly device: LabBootDevice };

const targetsOf = ({ personality }: LabContext): readonly Target[] => [
  ...(personality.bootOverride === 'lasts' ? [] : [{ name: 'None', device: 'none' } as const]),
  { name: 'Pxe', device: 'network' },
  { name: 'Hdd', device: 'disk' },
  // Where the drive is at USB, this one finds nothing and the disk is next.
  { name: 'Cd', device: personality.cdrom === 'usb' ? 'disk' : 'cdrom' },
  ...(personality.cdrom === 'usb' ? [{ name: 'UsbCd', device: 'cdrom' } as const] : []),
  { name: 'BiosSetup', device: 'setup' },
];

const bootOf = (context: LabContext): Json => {
  const { device, persistent, mode } = context.server.boot();
  const targets = targetsOf(context);
  const lasts = context.personality.bootOverride === 'lasts';
  const enabled = persistent || lasts ? 'Continuous' : 'Once';
  return {
    BootSourceOverrideEnabled: device === 'none' && !lasts ? 'Disabled' : enabled,
    BootSourceOverrideTarget:
      targets.find((one) => one.device === device)?.name ?? (lasts ? 'Hdd' : 'None'),
    'BootSourceOverrideTarget@Redfish.AllowableValues': targets.map(({ name }) => name),
    BootSourceOverrideMode: mode === 'uefi' ? 'UEFI' : 'Legacy',
    'BootSourceOverrideMode@Redfish.AllowableValues': ['UEFI', 'Legacy'],
    BootOrder: BOOT_ORDER,
    BootOptions: link(BOOT_OPTIONS),
  };
};

const gibibytesOf = (bytes: number, { memoryUnit }: Personality): number => {
  const right = bytes / 2 ** 30;
  return memoryUnit === 'decimal' ? (right * 10 ** 9) / 2 ** 30 : right;
};

const systemOf = (context: LabContext): Json => {
  const { server, personality } = context;
  const { hardware } = server;
  const [first] = hardware.processors;
  const power = server.power();
  const memoryBytes = hardware.memory.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return resource('ComputerSystem', SYSTEM, {
    Name: hardware.name,
    Description: 'Virtual server',
    SystemType: 'Physical',
    Manufacturer: hardware.vendor,
    Model: hardware.model,
    ...(personality.serialAt === 'SKU'
      ? { SKU: hardware.serialNumber, SerialNumber: `CN0${hardware.serialNumber}` }
      : { SerialNumber: hardware.serialNumber }),
    UUID: hardware.uuid,
    BiosVersion: hardware.biosVersion,
    Status: { ...HEALTHY, HealthRollup: 'OK' },
    PowerState: POWER[power],
    PowerRestorePolicy: 'LastState',
    ...indicatorOf(context),
    SerialConsole: { MaxConcurrentSessions: 1, IPMI: { ServiceEnabled: true } },
    Boot: bootOf(context),
    ProcessorSummary: {
      Count: hardware.processors.length,
      ...(first === undefined ? {} : { Model: first.model }),
      CoreCount: hardware.processors.reduce((sum, { cores }) => sum + cores, 0),
      LogicalProcessorCount: hardware.processors.reduce((sum, { threads }) => sum + threads, 0),
    },
    Processors: link(`${SYSTEM}/Processors`),
    Memory: link(`${SYSTEM}/Memory`),
    ...(personality.inventory === 'old'
      ? { SimpleStorage: link(`${SYSTEM}/SimpleStorage`) }
      : {
          ...(personality.disksAt === 'smart-storage'
            ? SMART_STORAGE
            : { Storage: link(`${SYSTEM}/Storage`) }),
          EthernetInterfaces: link(`${SYSTEM}/EthernetInterfaces`),
          MemorySummary: { TotalSystemMemoryGiB: gibibytesOf(memoryBytes, personality) },
        }),
    LogServices: link(`${SYSTEM}/LogServices`),
    Bios: link(`${SYSTEM}/Bios`),
    ...(personality.mediaAt === 'system' ? { VirtualMedia: link(`${SYSTEM}/VirtualMedia`) } : {}),
    Links: { Chassis: links([CHASSIS]), ManagedBy: links([MANAGER]) },
    Actions: {
      '#ComputerSystem.Reset': resetActionOf(context),
      '#ComputerSystem.SetDefaultBootOrder': { target: DEFAULT_ORDER },
    },
    SecureBoot: link(SECURE_BOOT),
    ...(personality.bootAt === 'settings' ? { '@Redfish.Settings': SETTINGS_LINK } : {}),
  });
};

const RESETS: Readonly<Record<string, LabPowerChange>> = {
  On: 'on',
  ForceOff: 'off',
  GracefulShutdown: 'soft_off',
  GracefulRestart: 'soft_reset',
  ForceRestart: 'reset',
  PowerCycle: 'cycle',
  Nmi: 'nmi',
  PushPowerButton: 'soft_off',
};

const resetTypes = ({ personality }: LabContext): readonly string[] => {
  const without = {
    'push-button': ['GracefulShutdown', 'GracefulRestart', 'PowerCycle'],
    none: ['GracefulShutdown', 'GracefulRestart', 'PushPowerButton', 'PowerCycle'],
  };
  const missing = personality.noSoftOff === undefined ? [] : without[personality.noSoftOff];
  return Object.keys(RESETS).filter((one) => !missing.includes(one));
};

const RESET = `${SYSTEM}/Actions/ComputerSystem.Reset`;
const DEFAULT_ORDER = `${SYSTEM}/Actions/ComputerSystem.SetDefaultBootOrder`;

const resetActionOf = (context: LabContext): Json => {
  const { resetTypes: how } = context.personality;
  if (how === 'unsaid') return { target: RESET };
  if (how === 'info') return { target: RESET, '@Redfish.ActionInfo': `${SYSTEM}/ResetActionInfo` };
  return { target: RESET, 'ResetType@Redfish.AllowableValues': resetTypes(context) };
};

const reset: Write = async (context, body) => {
  const { server, personality, tasks } = context;
  const asked = body.ResetType;
  if (asked === undefined) {
    return refuse(400, 'ActionParameterMissing', { detail: 'It is ResetType.' });
  }
  const change = typeof asked === 'string' ? RESETS[asked] : undefined;
  if (change === undefined || !resetTypes(context).includes(String(asked))) {
    const detail = `ResetType is ${JSON.stringify(asked)}.`;
    return refuse(400, 'ActionParameterValueNotInList', { detail });
  }
  const pushesOn = asked === 'PushPowerButton' && server.power() === 'off';
  const work = () => server.changePower(pushesOn ? 'on' : change);
  if (personality.resetByTask === true) return taskReply(tasks.start('Reset', work));
  await work();
  return noContent;
};

const patchSystem: Write = (context, body, { path }) => {
  const unknown = unknownProperty(body, ['Boot', ...indicatorNames(context)]);
  if (unknown !== undefined) return unknown;
  const { Boot: boot } = body;
  if (boot !== undefined) {
    const isElsewhere = context.personality.bootAt === 'settings' && path === SYSTEM;
    if (isElsewhere) return refuse(400, 'PropertyNotWritable', { detail: `Use ${SETTINGS}.` });
    const problem = patchBoot(
      context,
      typeof boot === 'object' && boot !== null ? { ...boot } : {},
    );
    if (problem !== undefined) return problem;
  }
  return patchIndicator(context, body) ?? noContent;
};

const patchBoot = (context: LabContext, body: Json): LabReply | undefined => {
  const { server, personality } = context;
  const order = orderProblem(body);
  if (order !== undefined) return order;
  const now = server.boot();
  const targets = targetsOf(context);
  const names = targets.map(({ name }) => name);
  const target = oneOf(body, 'BootSourceOverrideTarget', names);
  const enabled = oneOf(body, 'BootSourceOverrideEnabled', ['Disabled', 'Once', 'Continuous']);
  const mode = oneOf(body, 'BootSourceOverrideMode', ['UEFI', 'Legacy']);
  for (const field of [target, enabled, mode]) if (field.kind === 'wrong') return field.reply;
  if (mode.kind === 'value' && personality.bootMode === 'read-only') {
    return refuse(400, 'PropertyNotWritable', { about: 'Boot/BootSourceOverrideMode' });
  }
  const lasts = personality.bootOverride === 'lasts';
  if (lasts && target.kind === 'absent' && mode.kind === 'absent') {
    return refuse(400, 'PropertyMissing', { about: 'Boot/BootSourceOverrideTarget' });
  }
  const wanted = target.kind === 'value' ? target.value : '';
  const device = targets.find(({ name }) => name === wanted)?.device ?? now.device;
  const isOff = !lasts && enabled.kind === 'value' && enabled.value === 'Disabled';
  const unsaid = personality.bootMode === 'forgotten' ? 'legacy' : now.mode;
  const said = mode.kind === 'value' && mode.value === 'UEFI' ? 'uefi' : 'legacy';
  server.setBoot({
    device: isOff ? 'none' : device,
    persistent: enabled.kind === 'value' ? enabled.value === 'Continuous' : now.persistent,
    mode: mode.kind === 'value' ? said : unsaid,
  });
  return undefined;
};

/** Where Boot is not written at the system itself. */
const SETTINGS = `${SYSTEM}/Settings`;

const SETTINGS_LINK: Json = {
  '@odata.type': '#Settings.v1_3_5.Settings',
  SettingsObject: link(SETTINGS),
};

const settingsOf = (context: LabContext): Json | undefined => {
  if (context.personality.bootAt !== 'settings') return undefined;
  const { BootSourceOverrideEnabled, BootSourceOverrideTarget, BootSourceOverrideMode } =
    bootOf(context);
  return resource('ComputerSystem', SETTINGS, {
    Name: 'Settings of the system',
    Boot: { BootSourceOverrideEnabled, BootSourceOverrideTarget, BootSourceOverrideMode },
  });
};

const actionInfoOf = (context: LabContext): Json | undefined =>
  context.personality.resetTypes === 'info'
    ? {
        '@odata.id': `${SYSTEM}/ResetActionInfo`,
        '@odata.type': '#ActionInfo.v1_3_0.ActionInfo',
        Id: 'ResetActionInfo',
        Name: 'Reset',
        Parameters: [
          {
            Name: 'ResetType',
            Required: true,
            DataType: 'String',
            AllowableValues: resetTypes(context),
          },
        ],
      }
    : undefined;

const systemIds = ({ personality }: LabContext): readonly string[] => [
  ...(personality.partialSystem === undefined ? [] : [personality.partialSystem]),
  '1',
];

export const SYSTEM_ROUTES: readonly Route[] = [
  {
    path: `${ROOT}/Systems`,
    get: (context) =>
      collection('ComputerSystem', `${ROOT}/Systems`, { name: 'Systems', ids: systemIds(context) }),
  },
  { path: SYSTEM, get: systemOf, patch: patchSystem },
  { path: SETTINGS, get: settingsOf, patch: patchSystem },
  { path: `${SYSTEM}/ResetActionInfo`, get: actionInfoOf },
  { path: RESET, post: reset },
  // It never has another one.
  { path: DEFAULT_ORDER, post: () => noContent },
];
