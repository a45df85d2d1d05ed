import { join } from 'node:path';
import {
  createQemuDriver,
  type QemuDriver,
  type QemuDriverDeps,
} from '../../services/agent/drivers/qemu/guest.ts';
import type { GuestEvent } from '../../services/agent/drivers/qemu/guest-book.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import type { Needs } from '../needs.ts';
import { ownNumber } from '../own-number.ts';
import { slot } from '../slot.ts';
import { silentLog as log } from './silent-log.ts';
import { temporaryDir } from './temporary-dir.ts';

export type QemuHost = AsyncDisposable & {
  readonly deps: QemuDriverDeps;
  readonly driver: QemuDriver;
  readonly events: readonly GuestEvent[];
  /** Kinds of the events so far, ends by how they ended. */
  readonly kinds: () => string[];
  /** All that a guest wrote. */
  readonly output: (name: string) => Promise<string>;
  readonly type: (name: string, text: string) => Promise<void>;
  /** As after a restart of the agent: same directories, nothing in memory. */
  readonly newDriver: () => QemuDriver;
};

/** Hosts of tests that run at once do not see each other's guests, so their ports must differ. */
const ownPortRange = () => {
  const firstPort = 10 * ownNumber({ kind: 'guest-ports', first: 2_000, last: 2_999 });
  return { firstPort, lastPort: firstPort + 9 };
};

/**
 * A host for real guests, in a directory of its own; its guests go with it. Takes a guest's slot.
 */
export const qemuHost = async (need: Needs): Promise<QemuHost> => {
  await using made = new AsyncDisposableStack();
  made.use(await slot('guest'));
  const dir = made.use(temporaryDir()).path;
  const events: GuestEvent[] = [];
  const deps: QemuDriverDeps = {
    qemu: need.program('qemu'),
    qemuImg: need.program('qemu-img'),
    // Emulation works everywhere, and a test must not depend on whether this host has better.
    acceleration: { accelerator: 'tcg', sandbox: true },
    guestsDir: join(dir, 'guests'),
    socketsDir: join(dir, 's'),
    portRange: ownPortRange(),
    ...{ clock, log },
  };
  let current: QemuDriver;
  const newDriver = (): QemuDriver => {
    current = createQemuDriver(deps);
    current.onEvent((event) => events.push(event));
    return current;
  };
  const driver = newDriver();
  made.defer(async () => {
    const { guests, damaged } = await current.list();
    for (const { name } of [...guests, ...damaged]) await current.remove(name);
    await current.close();
  });
  const stack = made.move();
  return {
    ...{ deps, driver, events, newDriver },
    kinds: () => events.map((one) => (one.kind === 'ended' ? one.exit.kind : one.kind)),
    output: async (name) =>
      (await (await current.console(name)).readLog({ tailBytes: 1_000_000 })).bytes.toString(),
    type: async (name, text) => {
      await (await current.console(name)).openWriter('test').write(Buffer.from(text));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};
