import test from 'ava';
import { labHardware } from '../../../deploy/lab/lab-hardware.ts';
import type {
  LabExit,
  LabMachine,
  LabMachineBoot,
  LabPowerChange,
} from '../../../deploy/lab/server-port.ts';
import type { LabServerState } from '../../../deploy/lab/server-state.ts';
import { createLabServer } from '../../../deploy/lab/simulated-server.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

/** What outlives the process of the lab: its file, and what it started. */
type World = {
  kept: LabServerState | undefined;
  running: LabMachineBoot | undefined;
  /** Count of the newest boot that is over; nobody knows how it ended. */
  over: number;
  /** How often something was really started. */
  starts: number;
};

const hardware = labHardware('r1u1');

/** A process of the lab that dies at its n-th step: before or after a write or an effect. */
const processOf = (world: World, diesAt: number) => {
  const clock = manualClock();
  let steps = 0;
  let isDead = false;
  const step = (): void => {
    steps += 1;
    if (steps === diesAt) isDead = true;
  };
  /** The dead do nothing more, and nobody hears of it. */
  const effect = async (act: () => void): Promise<void> => {
    step();
    if (!isDead) act();
    step();
    if (isDead) await new Promise(() => undefined);
  };
  const end = (): void => {
    world.over = world.running?.count ?? world.over;
    world.running = undefined;
  };
  let exited: (count: number, how: LabExit) => void = () => undefined;
  const machine: LabMachine = {
    start: async (boot) => {
      await effect(() => {
        if (world.running?.count === boot.count || world.over === boot.count) return;
        end();
        world.running = boot;
        world.starts += 1;
      });
      if (world.running?.count !== boot.count) exited(boot.count, 'lost');
    },
    kill: () => effect(end),
    askPowerOff: async () => {
      const { running } = world;
      await effect(end);
      if (running !== undefined) exited(running.count, 'off');
    },
    wipe: async () => undefined,
    interrupt: async () => undefined,
    onExit: (listener) => {
      exited = listener;
    },
    serial: { listen: () => () => undefined, write: () => undefined },
    close: async () => undefined,
  };
  const server = createLabServer({
    ...{ hardware, clock, random: seededRandom(7), machine, accounts: [] },
    store: {
      load: () => world.kept,
      save: (state) => {
        step();
        if (!isDead) world.kept = state;
        step();
      },
    },
  });
  return { server, clock, isDead: () => isDead };
};

const worldOf = async (first: LabPowerChange | undefined): Promise<World> => {
  const world: World = { kept: undefined, running: undefined, over: 0, starts: 0 };
  const { server, clock } = processOf(world, 0);
  if (first !== undefined) await server.changePower(first);
  await clock.advance(20_000);
  server.setBoot({ device: 'network', persistent: false, mode: 'uefi' });
  await server.close();
  return world;
};

type Ending = {
  readonly power: string;
  readonly device: string | undefined;
  readonly override: string;
  readonly starts: number;
  readonly log: readonly string[];
};

/** Asks for the change in a process that dies at that step, and looks what another makes of it. */
const endingOf = async (
  [first, change]: readonly [LabPowerChange | undefined, LabPowerChange],
  diesAt: number,
): Promise<{ readonly ending: Ending; readonly died: boolean }> => {
  const world = await worldOf(first);
  const before = world.kept;
  const one = processOf(world, diesAt);
  void one.server.changePower(change);
  await one.clock.advance(20_000);
  const died = one.isDead();
  const two = died ? processOf(world, 0) : one;
  // Who asked and got no answer looks, and asks again when nothing was begun.
  if (died && world.kept?.wanted === before?.wanted) await two.server.changePower(change);
  await two.clock.advance(20_000);
  const ending = {
    power: two.server.power(),
    device: world.running?.device,
    override: two.server.boot().device,
    starts: world.starts,
    log: two.server.log().map(({ message }) => message),
  };
  return { ending, died };
};

const CHANGES: readonly (readonly [LabPowerChange | undefined, LabPowerChange])[] = [
  [undefined, 'on'],
  ['on', 'off'],
  ['on', 'soft_off'],
  ['on', 'soft_reset'],
  ['on', 'reset'],
  ['on', 'cycle'],
];

for (const change of CHANGES) {
  test(`a lab that dies at any step of "${change[1]}" ends as one that lives`, async (t) => {
    const unharmed = await endingOf(change, 0);
    t.false(unharmed.died);
    let steps = 0;
    for (let diesAt = 1; ; diesAt += 1) {
      const { ending, died } = await endingOf(change, diesAt);
      if (!died) break;
      steps += 1;
      t.deepEqual(ending, unharmed.ending, `died at step ${diesAt}`);
    }
    t.true(steps >= 6, `${steps} steps`);
  });
}
