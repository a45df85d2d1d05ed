import {
  BmcError,
  type BootChoice,
  type BootDevice,
  type BootDeviceAspect,
  type Offer,
} from '../../bmc-port.ts';
import { seen } from '../read-back.ts';
import { chosen } from './action.ts';
import type { Place } from './place.ts';
import { asResource, at, linkAt, type Resource, textAt, textsAt } from './resource.ts';

/** The override of the boot source (DSP0268, ComputerSystem, Boot). */
export const offerBootDevice = (place: Place): Offer<BootDeviceAspect> => {
  if (at(place.system, 'Boot', 'BootSourceOverrideTarget') === undefined) {
    return { kind: 'not_offered', why: 'The system has no Boot.BootSourceOverrideTarget' };
  }
  const read = async (signal: AbortSignal): Promise<BootChoice> =>
    choiceIn(await ownerOf(place, signal), place);
  const set = async (asked: BootChoice, signal: AbortSignal): Promise<void> => {
    const choice = possible(asked, place);
    const owner = await ownerOf(place, signal);
    await place.client.stage(owner, { Boot: bodyFor(choice, owner, place) }, signal);
    await seen(
      place,
      {
        what: `boot device ${describe(choice)}`,
        read: () => read(signal),
        isSo: (now) => isSame(now, choice),
        tell: describe,
      },
      signal,
    );
  };
  return { kind: 'offered', aspect: { read, set }, how: `PATCH ${place.systemLink}, Boot` };
};

/** What comes closest where an override neither ends by itself nor can be ended. */
const possible = (asked: BootChoice, { rules }: Place): BootChoice => {
  if (rules.bootOverride !== 'lasts') return asked;
  const device = asked.device === 'none' ? 'disk' : asked.device;
  return { ...asked, device, persistent: true };
};

/**
 * The resource whose Boot is written: the system, or its settings resource where Boot has moved
 * there (DSP0266, settings resource; firmware by AMI).
 */
const ownerOf = async ({ client, systemLink }: Place, signal: AbortSignal): Promise<Resource> => {
  const system = await client.get(systemLink, signal);
  const link = linkAt(system, '@Redfish.Settings', 'SettingsObject');
  const settings = link === '' ? undefined : await client.find(link, signal);
  if (at(settings, 'Boot', 'BootSourceOverrideTarget') === undefined) return system;
  const named = `BootSourceOverrideTarget@Redfish.AllowableValues`;
  const boot = { [named]: at(system, 'Boot', named), ...asResource(at(settings, 'Boot')) };
  return { ...settings, Boot: boot };
};

/** In the order in which they are wanted. */
const TARGETS: Readonly<Record<BootDevice, readonly string[]>> = {
  none: ['None'],
  network: ['Pxe', 'UefiHttp'],
  disk: ['Hdd'],
  cdrom: ['Cd', 'UsbCd'],
  setup: ['BiosSetup'],
};
const DEVICES: readonly BootDevice[] = ['none', 'network', 'disk', 'cdrom', 'setup'];

const targetsOf = (device: BootDevice, { rules }: Place): readonly string[] =>
  device === 'cdrom' && rules.cdromTarget !== undefined
    ? [rules.cdromTarget, ...TARGETS.cdrom]
    : TARGETS[device];

const choiceIn = (system: Resource, place: Place): BootChoice => {
  const boot = asResource(at(system, 'Boot'));
  const enabled = textAt(boot, 'BootSourceOverrideEnabled');
  const target = textAt(boot, 'BootSourceOverrideTarget');
  const isOff = enabled === 'Disabled' || target === '' || target === 'None';
  const device = isOff ? 'none' : DEVICES.find((one) => targetsOf(one, place).includes(target));
  if (device === undefined) {
    throw new BmcError('unsupported', `The BMC boots from "${target}", which is not known here`);
  }
  const mode = MODES[textAt(boot, 'BootSourceOverrideMode')];
  const choice = { device, persistent: enabled === 'Continuous' };
  return mode === undefined ? choice : { ...choice, mode };
};

const MODES: Readonly<Record<string, 'uefi' | 'legacy'>> = { UEFI: 'uefi', Legacy: 'legacy' };

const bodyFor = (choice: BootChoice, system: Resource, place: Place): Resource => {
  const boot = asResource(at(system, 'Boot'));
  const mode = modeFor(choice, boot, place);
  const allowed = textsAt(boot, 'BootSourceOverrideTarget@Redfish.AllowableValues');
  if (choice.device === 'none') {
    const takesNone = allowed.length === 0 || allowed.includes('None');
    const target = takesNone ? { BootSourceOverrideTarget: 'None' } : {};
    return { BootSourceOverrideEnabled: 'Disabled', ...target, ...mode };
  }
  const candidates = targetsOf(choice.device, place);
  const target =
    allowed.length === 0
      ? candidates[0]
      : chosen({ wish: `booting from ${choice.device}`, candidates, allowed });
  return {
    BootSourceOverrideEnabled: choice.persistent ? 'Continuous' : 'Once',
    BootSourceOverrideTarget: target,
    ...mode,
  };
};

const modeFor = ({ mode }: BootChoice, boot: Resource, { rules }: Place): Resource => {
  const now = textAt(boot, 'BootSourceOverrideMode');
  const wanted = mode === 'uefi' ? 'UEFI' : 'Legacy';
  if (mode !== undefined && rules.bootMode !== 'never') return { BootSourceOverrideMode: wanted };
  if (mode !== undefined && now !== wanted && now !== '') {
    throw new BmcError(
      'unsupported',
      `The BMC cannot be told to boot by ${wanted}; it does ${now}`,
    );
  }
  return rules.bootMode === 'always' && now !== '' ? { BootSourceOverrideMode: now } : {};
};

const isSame = (now: BootChoice, wanted: BootChoice): boolean => {
  const isDevice = now.device === wanted.device;
  const isLasting = wanted.device === 'none' || now.persistent === wanted.persistent;
  return isDevice && isLasting && (wanted.mode === undefined || now.mode === wanted.mode);
};

const describe = ({ device, persistent, mode }: BootChoice): string =>
  [device, device === 'none' ? '' : persistent ? 'for good' : 'once', mode ?? '']
    .filter((part) => part !== '')
    .join(' ');
