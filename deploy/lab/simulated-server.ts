/**
 * The server behind a virtual management controller. It knows what a controller knows: power, boot
 * device, BIOS settings, log, accounts, sensors. What it powers is behind LabMachine: a qemu
 * process, or nothing but a serial line.
 */
import type { Clock } from '../../services/runtime/clock.ts';
import type { Random } from '../../services/runtime/random.ts';
import { createPowerLoop, LAB_DELAYS, type LabDelays } from './power-loop.ts';
import { readSensors } from './sensors.ts';
import type { LabAccount, LabHardware, LabMachine, LabServer } from './server-port.ts';
import {
  type BiosValue,
  type LabServerState,
  type LabStore,
  newServerState,
  withLogEntry,
  withSameBootAgain,
} from './server-state.ts';

export type LabServerDeps = {
  readonly hardware: LabHardware;
  readonly machine: LabMachine;
  readonly clock: Clock;
  readonly random: Random;
  /** Of a server that was never there before. */
  readonly accounts: readonly LabAccount[];
  /** LAB_DELAYS where absent. */
  readonly delays?: Partial<LabDelays>;
  /** Without one a restart of the lab forgets everything. */
  readonly store?: LabStore;
};

/** What the protocols in front of it do not do with a server. */
export type OwnedLabServer = LabServer & {
  /** What is behind it is about to be ended with the lab: the next process boots it anew. */
  readonly suspend: () => void;
  /**
   * Disks, BIOS settings, boot device and virtual drive are as new; log and accounts stay. Throws
   * failed_precondition SERVER_ON.
   */
  readonly wipe: () => Promise<void>;
};

export const createLabServer = (deps: LabServerDeps): OwnedLabServer => {
  const { hardware, machine, clock, random, store } = deps;
  const listeners = new Set<() => void>();
  let state = store?.load() ?? newServerState(deps.accounts);

  const tell = (): void => {
    for (const changed of listeners) changed();
  };
  const replace = (next: LabServerState): void => {
    store?.save(next);
    state = next;
    tell();
  };
  const change = (part: Partial<LabServerState>): void => replace({ ...state, ...part });

  const loop = createPowerLoop({
    ...{ name: hardware.name, machine, clock, random, replace, shown: tell },
    delays: { ...LAB_DELAYS, ...deps.delays },
    state: () => state,
  });
  const isOn = (): boolean => loop.power() === 'on' || loop.power() === 'turning_off';
  const others = (slot: number): LabAccount[] => state.accounts.filter((one) => one.slot !== slot);

  return {
    hardware,
    power: loop.power,
    changePower: loop.change,
    boot: () => state.boot,
    setBoot: (boot) => change({ boot }),
    media: () => state.media ?? undefined,
    setMedia: (url) => change({ media: url ?? null }),
    bios: () => mapOf(state.bios),
    setBios: (attributes) =>
      change({ pendingBios: { ...state.pendingBios, ...Object.fromEntries(attributes) } }),
    pendingBios: () => mapOf(state.pendingBios),
    indicator: () => state.indicator,
    setIndicator: (indicator) => change({ indicator }),
    sensors: () => readSensors(hardware.serialNumber, isOn(), clock.monotonicMs()),
    log: () => state.log,
    addLog: (entry) => replace(withLogEntry(state, { ...entry, at: clock.now() })),
    clearLog: () => change({ log: [] }),
    accounts: () => state.accounts,
    putAccount: (account) =>
      change({
        accounts: [...others(account.slot), account].toSorted((a, b) => a.slot - b.slot),
      }),
    removeAccount: (slot) => change({ accounts: others(slot) }),
    serial: machine.serial,
    onChange: (changed) => {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    suspend: () => {
      loop.stop();
      change(withSameBootAgain(state));
    },
    wipe: () =>
      loop.whileOff(async () => {
        const { boot, media, bios, pendingBios } = newServerState([]);
        // Before the disks: whoever switches it on meanwhile boots with settings as new.
        change({ boot, media, bios, pendingBios });
        await machine.wipe();
        const entry = { at: clock.now(), severity: 'ok', message: 'Disks wiped' } as const;
        replace(withLogEntry(state, entry));
      }),
    close: async () => {
      await loop.close();
      await machine.close();
    },
  };
};

const mapOf = (values: Readonly<Record<string, BiosValue>>): ReadonlyMap<string, BiosValue> =>
  new Map(Object.entries(values));
