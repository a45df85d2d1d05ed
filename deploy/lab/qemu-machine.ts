/**
 * A server that is a qemu process, on the agent's own qemu driver: each boot is one process, which
 * outlives the lab and is found again by its record.
 */

import type { QemuDriver } from '../../services/agent/drivers/qemu/guest.ts';
import type { GuestExit } from '../../services/agent/drivers/qemu/guest-record.ts';
import type { GuestSpec } from '../../services/agent/drivers/qemu/guest-spec.ts';
import type { Logger } from '../../services/runtime/log.ts';
import { LAB_LINUX_COMMAND_LINE } from '../images/lab-linux/build.ts';
import type { MediaFetcher } from './media-fetcher.ts';
import { createQemuSerial } from './qemu-serial.ts';
import type { LabExit, LabHardware, LabMachine, LabMachineBoot } from './server-port.ts';

export type QemuMachineDeps = {
  readonly hardware: LabHardware;
  /** Of the whole rack. */
  readonly driver: QemuDriver;
  /** Paths of lab-linux. */
  readonly image: { readonly kernelPath: string; readonly initrdPath: string };
  readonly media: MediaFetcher;
  readonly log: Logger;
};

export const createQemuMachine = (deps: QemuMachineDeps): LabMachine => {
  const { hardware, driver } = deps;
  const { name } = hardware;
  const closed = new AbortController();
  const serial = createQemuSerial({ ...deps, name, signal: closed.signal });
  let exited: (count: number, how: LabExit) => void = () => undefined;
  const tell = (count: number, exit: GuestExit): void => {
    if (!closed.signal.aborted) exited(count, EXITS[exit.kind]);
  };
  const stopListening = driver.onEvent((event) => {
    if (event.name === name && event.kind === 'ended') tell(event.bootCounter, event.exit);
  });
  const found = async (): Promise<boolean> => (await driver.status(name)) !== null;

  return {
    start: async (boot) => {
      await serial.beforeStart();
      const spec = specOf(hardware, await bootOf(boot, deps, closed.signal));
      const wanted = { power: 'on', boot: { counter: boot.count, token: null } } as const;
      const status = await driver.ensure(spec, wanted, closed.signal);
      serial.afterStart();
      // It is over already, perhaps since before this process.
      if (status.exit !== null) tell(boot.count, status.exit);
    },
    kill: async () => {
      if (await found()) await driver.kill(name, closed.signal);
    },
    askPowerOff: async () => {
      await driver.shutdown(name, closed.signal);
    },
    // Its next start makes new disks.
    wipe: () => driver.remove(name, closed.signal),
    interrupt: async () => {
      await driver.interrupt(name, closed.signal);
    },
    onExit: (listener) => {
      exited = listener;
    },
    serial: serial.line,
    close: async () => {
      closed.abort();
      stopListening();
    },
  };
};

/** Whatever ended it that its operating system did not order counts as a loss of power. */
const EXITS: Readonly<Record<GuestExit['kind'], LabExit>> = {
  powered_down: 'off',
  guest_reset: 'reset',
  stopped: 'lost',
  crashed: 'lost',
  unwatched: 'lost',
  not_started: 'lost',
};

const bootOf = async (
  { device, media }: LabMachineBoot,
  { hardware, image, media: fetcher, log }: QemuMachineDeps,
  signal: AbortSignal,
): Promise<GuestSpec['boot']> => {
  switch (device) {
    case 'disk':
      return {
        kind: 'kernel',
        kernelPath: image.kernelPath,
        initrdPath: image.initrdPath,
        commandLine: `${LAB_LINUX_COMMAND_LINE} runm.hostname=${hardware.name}`,
      };
    case 'network':
      return { kind: 'network' };
    case 'cdrom': {
      if (media === undefined) return { kind: 'none' };
      const fetched = await fetcher.fetch(media, signal);
      if (fetched.kind === 'fetched') return { kind: 'media', isoPath: fetched.path };
      // As with a real one: the firmware finds nothing to boot from.
      log.warn({ server: hardware.name, problem: fetched.problem }, 'medium not fetched');
      return { kind: 'none' };
    }
    case 'setup':
      return { kind: 'none' };
  }
};

/** What the controller shows of the hardware is what the guest finds. */
const specOf = (hardware: LabHardware, boot: GuestSpec['boot']): GuestSpec => ({
  name: hardware.name,
  uuid: hardware.uuid,
  machine: 'q35',
  cpus: hardware.processors.reduce((sum, { threads }) => sum + threads, 0),
  memoryBytes: hardware.memory.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  boot,
  // The name of a disk is the serial number that the guest sees.
  disks: hardware.disks.map(({ serialNumber, sizeBytes }) => ({ name: serialNumber, sizeBytes })),
  nics: hardware.nics.map(({ mac }) => ({ mac, forwards: [] })),
});
