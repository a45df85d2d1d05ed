/** What a rack of real qemu processes needs of this host, or why it has to be simulated. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedAcceleration } from '../../services/agent/cached-acceleration.ts';
import { createQemuDriver, type QemuDriver } from '../../services/agent/drivers/qemu/guest.ts';
import type { Clock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import type { Logger } from '../../services/runtime/log.ts';
import { buildLabLinux } from '../images/lab-linux/build.ts';
import { type GuestTools, prepareGuestTools } from '../start/tools.ts';
import type { LabOptions } from './lab-options.ts';
import { createMediaFetcher } from './media-fetcher.ts';
import { createQemuMachine, type QemuMachineDeps } from './qemu-machine.ts';
import type { LabHardware, LabMachine } from './server-port.ts';
import { createSimulatedMachine } from './simulated-machine.ts';

/** What is behind the controllers of a rack. */
export type RackMachines = {
  readonly kind: 'qemu' | 'simulated';
  /** A sentence for people. */
  readonly why: string;
  readonly machineOf: (hardware: LabHardware) => LabMachine;
  /** Asks what runs to power off, then forces it. */
  readonly stopAll: (limitMs: number) => Promise<void>;
  readonly close: () => Promise<void>;
};

export type RackMachinesDeps = {
  readonly clock: Clock;
  readonly log: Logger;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
};

type QemuOptions = Pick<
  LabOptions,
  'stateDir' | 'socketsDir' | 'simulated' | 'toolsDir' | 'imageDir' | 'trialDir'
>;

/** qemu where it works, unless simulation was asked for. */
export const openRackMachines = async (
  options: QemuOptions,
  deps: RackMachinesDeps,
): Promise<RackMachines> => {
  if (options.simulated !== undefined) return simulated(options.simulated, deps);
  const { toolsDir } = options;
  const { say: log, signal } = deps;
  const tools = await prepareGuestTools({ toolsDir, installSystem: false, log, signal });
  if (tools.kind === 'missing') {
    deps.log.info({ reasons: tools.reasons }, 'servers are simulated');
    return simulated(`without ${tools.names}`, deps);
  }
  try {
    return await real(options, tools, deps);
  } catch (error) {
    if (!isDomainError(error, 'unavailable', 'QEMU_UNUSABLE')) throw error;
    return simulated(error.message, deps);
  }
};

const simulated = (why: string, { clock }: RackMachinesDeps): RackMachines => ({
  kind: 'simulated',
  why,
  machineOf: (hardware) => createSimulatedMachine({ hardware, clock }),
  stopAll: async () => undefined,
  close: async () => undefined,
});

/** The guests of a lab are reached at their serial lines only. */
const NO_PORTS = { firstPort: 1, lastPort: 1 };

const real = async (
  options: QemuOptions,
  tools: Extract<GuestTools, { kind: 'ready' }>,
  deps: RackMachinesDeps,
): Promise<RackMachines> => {
  const { clock, log } = deps;
  const { qemu, qemuImg } = tools;
  const { stateDir, socketsDir, trialDir } = options;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await mkdir(trialDir, { recursive: true, mode: 0o700 });
  const acceleration = await cachedAcceleration(
    { stateDir: trialDir, qemu, trialKernel: tools.kernel.image },
    deps,
  );
  const image = await labLinux(options.imageDir, tools, deps);
  const driver: QemuDriver = createQemuDriver({
    ...{ qemu, qemuImg, acceleration, socketsDir, portRange: NO_PORTS, clock, log },
    guestsDir: join(stateDir, 'guests'),
  });
  const media = createMediaFetcher({ directory: join(stateDir, 'media'), clock });
  const speed = acceleration.emulated ? ' (emulated processors, slow)' : '';
  return {
    kind: 'qemu',
    why: `qemu with ${acceleration.accelerator}${speed}`,
    machineOf: (hardware) => createQemuMachine({ hardware, driver, image, media, log }),
    stopAll: (limitMs) => driver.stopAll({ limitMs }),
    close: () => driver.close(),
  };
};

const labLinux = async (
  imageDir: string,
  { kernelPackageDir, busybox }: Extract<GuestTools, { kind: 'ready' }>,
  { log, signal }: RackMachinesDeps,
): Promise<QemuMachineDeps['image']> => {
  const kernelPath = join(imageDir, 'vmlinuz');
  const initrdPath = join(imageDir, 'initrd.img');
  if (!existsSync(kernelPath) || !existsSync(initrdPath)) {
    await mkdir(imageDir, { recursive: true, mode: 0o700 });
    await buildLabLinux({
      ...{ kernelPackageDir, busybox: busybox.path, outputDir: imageDir, log, signal },
    });
  }
  return { kernelPath, initrdPath };
};
