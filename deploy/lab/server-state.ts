/**
 * All that a virtual server remembers, as one value that is replaced whole: so the file that keeps
 * it is either the state before a change or the one after it, and a lab that is killed in between
 * goes on from there.
 */
import type { LabAccount, LabBoot, LabLogEntry, LabMachineBoot } from './server-port.ts';

export type BiosValue = string | number | boolean;

/** What the power button was last set to. The loop of power-loop.ts brings the machine there. */
export type LabWanted =
  | { readonly power: 'off' }
  | {
      readonly power: 'on';
      readonly boot: LabMachineBoot;
      /** By cycle it is off for a while first. */
      readonly by: 'start' | 'reset' | 'cycle';
      /** Its operating system was asked to power off. */
      readonly asked: boolean;
      /** Once it has, it boots again; absent = it stays off. */
      readonly bootsAgain?: true;
    };

export type LabServerState = {
  readonly version: 1;
  readonly wanted: LabWanted;
  /** What is wanted was seen, and stands in the log. */
  readonly reached: boolean;
  /** Of the last boot; 0 = never booted. */
  readonly bootCount: number;
  readonly boot: LabBoot;
  readonly media: string | null;
  readonly bios: Readonly<Record<string, BiosValue>>;
  readonly pendingBios: Readonly<Record<string, BiosValue>>;
  readonly indicator: boolean;
  /** Of the last log entry, also of one that was cleared. */
  readonly lastLogId: number;
  readonly log: readonly LabLogEntry[];
  readonly accounts: readonly LabAccount[];
};

/** Keeps the state of one server over restarts. `save` returns when a kill loses nothing more. */
export type LabStore = {
  readonly load: () => LabServerState | undefined;
  readonly save: (state: LabServerState) => void;
};

export const NO_OVERRIDE: LabBoot = { device: 'none', persistent: false, mode: 'uefi' };

export const BIOS_DEFAULTS: Readonly<Record<string, BiosValue>> = {
  BootMode: 'Uefi',
  LogicalProc: true,
  NumaNodesPerSocket: 1,
  PxeDev1: true,
  SerialBaudRate: 115_200,
  SerialConsole: true,
  VirtualizationTechnology: true,
};

export const newServerState = (accounts: readonly LabAccount[]): LabServerState => ({
  version: 1,
  wanted: { power: 'off' },
  reached: true,
  bootCount: 0,
  boot: NO_OVERRIDE,
  media: null,
  bios: BIOS_DEFAULTS,
  pendingBios: {},
  indicator: false,
  lastLogId: 0,
  log: [],
  accounts,
});

/** Older entries make room, as in a log that is set to go round. */
const LOG_ENTRIES_MAX = 500;

export const withLogEntry = (
  state: LabServerState,
  entry: Omit<LabLogEntry, 'id'>,
): LabServerState => {
  const id = state.lastLogId + 1;
  return { ...state, lastLogId: id, log: [...state.log, { id, ...entry }].slice(-LOG_ENTRIES_MAX) };
};

/**
 * The state in which the next boot is wanted: it uses up a boot device that was set for one boot,
 * and takes over the BIOS settings that wait for it.
 */
export const withNextBoot = (
  state: LabServerState,
  by: 'start' | 'reset' | 'cycle',
): LabServerState => {
  const { device, persistent, mode } = state.boot;
  const count = state.bootCount + 1;
  const boot: LabMachineBoot = {
    count,
    device: device === 'none' ? 'disk' : device,
    mode,
    media: state.media ?? undefined,
  };
  return {
    ...state,
    bootCount: count,
    wanted: { power: 'on', boot, by, asked: false },
    reached: false,
    boot: persistent ? state.boot : { ...NO_OVERRIDE, mode },
    bios: { ...state.bios, ...state.pendingBios },
    pendingBios: {},
  };
};

/** What is on boots again as it did, under a count of its own. */
export const withSameBootAgain = (state: LabServerState): LabServerState => {
  const { wanted } = state;
  if (wanted.power === 'off') return state;
  const count = state.bootCount + 1;
  const boot = { ...wanted.boot, count };
  return {
    ...state,
    bootCount: count,
    wanted: { ...wanted, boot, by: 'start' },
    reached: false,
  };
};
