import { join } from 'node:path';
import type { LabFrontStarter } from '../../deploy/lab/front-port.ts';
import { createMediaFetcher } from '../../deploy/lab/media-fetcher.ts';
import { createQemuMachine } from '../../deploy/lab/qemu-machine.ts';
import { type RunningRack, type RunningServer, startRack } from '../../deploy/lab/rack.ts';
import { parseRack } from '../../deploy/lab/rack-description.ts';
import { createQemuDriver } from '../../services/agent/drivers/qemu/guest.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import type { Needs } from '../needs.ts';
import { ownNumber } from '../own-number.ts';
import { slot } from '../slot.ts';
import { labLinux } from './lab-linux.ts';
import { silentLog as log } from './silent-log.ts';
import { temporaryDir } from './temporary-dir.ts';

/** A rack of one server that is really powered, without a protocol in front of it. */
export type LabRack = AsyncDisposable & {
  readonly directory: string;
  /** As after a kill: nothing is said to what runs, and another process takes over. */
  readonly takeOver: () => Promise<void>;
  /** As with `npm stop`. */
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly server: () => RunningServer;
  /** All that was heard on the serial line. */
  readonly heard: () => string;
  readonly pid: () => Promise<number | null>;
};

const RACK = 'site: s\nrack: r1\nservers:\n  - { name: r1u1, unit: 1 }\n';

const noFront: LabFrontStarter = async ({ port }) => ({ port, close: async () => undefined });

/** Labs of tests that run at once do not see each other's controllers. */
export const ownNet = (): number => ownNumber({ kind: 'lab-net', first: 2, last: 251 });

export const qemuRack = async (need: Needs): Promise<LabRack> => {
  await using made = new AsyncDisposableStack();
  made.use(await slot('guest'));
  const dir = made.use(temporaryDir()).path;
  const { kernel, initrd } = await labLinux(need.program('kernel'), need.program('busybox'));
  const image = { kernelPath: kernel.path, initrdPath: initrd.path };
  const media = createMediaFetcher({ directory: join(dir, 'media'), clock });
  const newDriver = () =>
    createQemuDriver({
      ...{ qemu: need.program('qemu'), qemuImg: need.program('qemu-img'), clock, log },
      // Emulation works everywhere, and a test must not depend on whether this host has better.
      acceleration: { accelerator: 'tcg', sandbox: true },
      ...{ guestsDir: join(dir, 'guests'), socketsDir: join(dir, 's') },
      portRange: { firstPort: 1, lastPort: 1 },
    });
  const firstNet = ownNet();
  let driver = newDriver();
  let rack: RunningRack | undefined;
  let heard = '';
  const server = (): RunningServer => {
    const [first] = rack?.servers ?? [];
    if (first === undefined) throw new Error('the rack does not run');
    return first;
  };
  const start = async (): Promise<void> => {
    rack = await startRack(parseRack(RACK, 'rack.yaml'), {
      ...{ stateDir: dir, fronts: { redfish: noFront, ipmi: noFront }, clock, random, log },
      machineOf: (hardware) => createQemuMachine({ hardware, driver, image, media, log }),
      firstNet,
    });
    server().server.serial.listen((bytes) => {
      heard += Buffer.from(bytes).toString();
    });
  };
  const letGo = async (): Promise<void> => {
    await rack?.close();
    await driver.close();
    driver = newDriver();
  };
  made.defer(async () => {
    await letGo();
    for (const { name } of (await driver.list()).guests) await driver.remove(name);
    await driver.close();
  });
  await start();
  const stack = made.move();
  return {
    ...{ directory: dir, server, start, heard: () => heard },
    takeOver: async () => {
      await letGo();
      await start();
    },
    stop: async () => {
      rack?.suspend();
      await driver.stopAll({ limitMs: 60_000 });
      await letGo();
    },
    pid: async () => (await driver.status('r1u1'))?.pid ?? null,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};
