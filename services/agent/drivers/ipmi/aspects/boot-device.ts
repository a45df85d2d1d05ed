/** System boot options (IPMI 2.0 §28.12, §28.13, table 28-14). */
import {
  BmcError,
  type BootChoice,
  type BootDevice,
  type BootDeviceAspect,
} from '../../../bmc-port.ts';
import { withDeadline } from '../session/link.ts';
import type { Place } from './place.ts';

const SET_BOOT_OPTIONS = { netFn: 0x00, command: 0x08 } as const;
const GET_BOOT_OPTIONS = { netFn: 0x00, command: 0x09 } as const;
const PARAMETER = { setInProgress: 0, clearing: 3, acknowledge: 4, flags: 5 } as const;
const PROGRESS = { complete: 0, begun: 1, commit: 2 } as const;
const ALREADY_IN_PROGRESS = 0x81;
/** Keep the flags although no chassis control follows within 60 seconds. */
const KEEP_AFTER_60_S = 0x08;
/** The BIOS has not looked at the flags yet: bit 0, and the mask that says to change it. */
const NOT_SEEN_BY_BIOS = [0x01, 0x01];
const VALID = 0x80;
const PERSISTENT = 0x40;
const EFI = 0x20;
const FLAG_BYTES = 5;

const DEVICES: Readonly<Record<BootDevice, number>> = {
  none: 0,
  network: 1,
  disk: 2,
  cdrom: 5,
  setup: 6,
};

/** Also devices that we never set: safe mode, diagnostic partition, remote media, floppy. */
const READ: Readonly<Record<number, BootDevice>> = {
  0: 'none',
  1: 'network',
  2: 'disk',
  3: 'disk',
  4: 'disk',
  5: 'cdrom',
  6: 'setup',
  7: 'disk',
  8: 'cdrom',
  9: 'disk',
  11: 'disk',
  15: 'disk',
};

type Flags = { readonly choice: BootChoice; readonly isEfi: boolean; readonly isValid: boolean };

export const createBootDeviceAspect = ({ link }: Pick<Place, 'link'>): BootDeviceAspect => {
  const { provider } = link;
  /** It kept what was set and did not say "valid" (ipmi_sim): that bit of it means nothing. */
  let leavesOutValid = false;

  const readFlags = async (signal: AbortSignal): Promise<Flags> => {
    const asked = { ...GET_BOOT_OPTIONS, data: Buffer.from([PARAMETER.flags, 0, 0]) };
    const data = await link.call(asked, 'to tell its boot device', signal);
    return decodeFlags(data.subarray(2));
  };

  const write = (parameter: number, bytes: readonly number[], signal: AbortSignal) =>
    link.ask({ ...SET_BOOT_OPTIONS, data: Buffer.from([parameter, ...bytes]) }, signal);

  /** Somebody may have left it "in progress"; nobody else is waited for, since nobody owns it. */
  const begin = async (signal: AbortSignal): Promise<void> => {
    const { code } = await write(PARAMETER.setInProgress, [PROGRESS.begun], signal);
    if (code !== ALREADY_IN_PROGRESS) return;
    await write(PARAMETER.setInProgress, [PROGRESS.complete], signal);
    await write(PARAMETER.setInProgress, [PROGRESS.begun], signal);
  };

  const set = async (choice: BootChoice, signal: AbortSignal): Promise<void> => {
    const before = await readFlags(signal);
    // Without a wish the bit stays as it is: a machine set up for UEFI has it set.
    const isEfi = choice.mode === undefined ? before.isEfi : choice.mode === 'uefi';
    const wanted: Flags = { choice, isEfi, isValid: true };
    const flags = encodeFlags(wanted);
    await begin(signal);
    try {
      // All three are optional (§28.12), so a refusal says nothing.
      await write(PARAMETER.clearing, [KEEP_AFTER_60_S], signal);
      await write(PARAMETER.acknowledge, NOT_SEEN_BY_BIOS, signal);
      const asked = { ...SET_BOOT_OPTIONS, data: Buffer.from([PARAMETER.flags, ...flags]) };
      await link.call(asked, `to boot from ${choice.device}`, signal);
      await write(PARAMETER.setInProgress, [PROGRESS.commit], signal);
    } finally {
      await write(PARAMETER.setInProgress, [PROGRESS.complete], signal);
    }
    const after = await readFlags(signal);
    if (isSame(after, wanted)) {
      leavesOutValid = !after.isValid && choice.device !== 'none';
      return;
    }
    throw new BmcError(
      'not_applied',
      `Controller of provider "${provider}" took boot device ${told(wanted)} and says ${told(after)}`,
    );
  };

  return {
    read: async (signal) => {
      const { choice, isValid } = await readFlags(signal);
      return isValid || leavesOutValid ? choice : { device: 'none', persistent: false };
    },
    set: (choice, signal) => withDeadline({ provider, signal }, () => set(choice, signal)),
  };
};

const told = ({ choice: { device, persistent }, isEfi }: Flags): string =>
  `${device} by ${isEfi ? 'UEFI' : 'legacy boot'}${persistent ? ' for every boot' : ''}`;

const encodeFlags = ({ choice, isEfi }: Pick<Flags, 'choice' | 'isEfi'>): readonly number[] => {
  const persistent = choice.persistent ? PERSISTENT : 0;
  const first = VALID | persistent | (isEfi ? EFI : 0);
  return [first, DEVICES[choice.device] << 2, 0, 0, 0];
};

const decodeFlags = (bytes: Buffer): Flags => {
  const [first = 0, second = 0] = bytes.length < FLAG_BYTES ? [] : bytes;
  const isEfi = (first & EFI) !== 0;
  const isValid = (first & VALID) !== 0;
  const device = READ[(second >> 2) & 0x0f] ?? 'none';
  if (device === 'none') return { isEfi, isValid, choice: { device, persistent: false } };
  const persistent = (first & PERSISTENT) !== 0;
  return { isEfi, isValid, choice: { device, persistent, mode: isEfi ? 'uefi' : 'legacy' } };
};

/** Of "none" nothing else is compared: a controller forgets the rest with it. */
const isSame = (after: Flags, wanted: Flags): boolean => {
  if (wanted.choice.device === 'none') return after.choice.device === 'none' || !after.isValid;
  if (after.choice.device !== wanted.choice.device) return false;
  return after.choice.persistent === wanted.choice.persistent && after.isEfi === wanted.isEfi;
};
