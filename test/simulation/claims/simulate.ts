/**
 * One run of claims under chance. The seed decides everything: what people want, which messages and
 * answers get lost, which processes stand still, end or start, and how wrong their clocks are. At
 * the end the checker judges it.
 */
import type { Coordination } from '../../../services/store/coordination/port.ts';
import { CPU } from '../../rpc/scheduler-neighbours.ts';
import type { Violation } from '../../support/claim-checker/evidence.ts';
import type { Call } from '../../support/claim-checker/history.ts';
import type { Stored } from '../../support/claim-checker/stored.ts';
import type { Fate } from '../../support/lossy-coordination.ts';
import type { ManualClock } from '../../support/manual-clock.ts';
import { isCommit } from './gate.ts';
import { createNemesis } from './nemesis.ts';
import { claimer, operator, presentOf } from './people.ts';
import type { Safeguard } from './sabotage.ts';
import { createWorld, type World } from './world.ts';

export type SimulationOptions = {
  readonly seed: number;
  /** Left out on every replica. */
  readonly broken?: Safeguard | undefined;
};

export type Simulated = {
  readonly violations: readonly Violation[];
  /** Everybody came to know what became of every request. */
  readonly hasEnded: boolean;
  readonly calls: readonly Call[];
  readonly stored: Stored;
  readonly elections: number;
  /** What the nemesis did, for people. */
  readonly faults: Readonly<Record<string, number>>;
};

const CALM_FROM_MS = 25_000;
const CLAIMERS_MAX = 6;
/** Of all claimers together. */
const ROUNDS = 60;

const isCalm = (clock: ManualClock): boolean => clock.monotonicMs() > CALM_FROM_MS;

export const simulate = async ({ seed, broken }: SimulationOptions): Promise<Simulated> => {
  const world = await createWorld({ seed, broken, isCalm, fateOf: fateByChance });
  const { clock, history } = world;
  const elections = countElections(world.store);
  const nemesis = createNemesis({ ...world, isCalm: () => isCalm(clock) });
  const hasEnded = await world.settle(everybody(world), nemesis.step);
  await nemesis.end();
  // Until every window has begun or ended: what quotas show changes with the time.
  await clock.advance(15_000);
  const { violations, stored } = await world.judge();
  const { faults } = nemesis;
  await world.stop();
  const { calls } = history;
  return { violations, hasEnded, calls, stored, elections: elections(), faults };
};

const everybody = async (world: World): Promise<void> => {
  const { clock, random, fleet } = world;
  const admin = { clock, random, caller: world.caller('operator') };
  await Promise.all(
    fleet.map((one) => admin.caller.setCapacity({ ...presentOf(one), closed: false })),
  );
  // Half of what there is: sometimes the quota refuses, sometimes the fleet.
  await admin.caller.setQuota('red', new Map([[CPU, 5]]));
  const claimers = 1 + Math.floor(random.fraction() * CLAIMERS_MAX);
  const rounds = Math.ceil(ROUNDS / claimers);
  await Promise.all([
    operator(admin, { ...world, rounds: 10 }),
    ...Array.from({ length: claimers }, (_, at) => {
      const name = `c${at}`;
      const project = at % 2 === 0 ? 'red' : 'blue';
      const person = { clock, random, caller: world.caller(name) };
      return claimer(person, { name, project, rounds });
    }),
  ]);
};

const fateByChance = (
  keys: readonly string[],
  { clock, random }: Pick<World, 'clock' | 'random'>,
): Fate => {
  if (isCalm(clock) || !isCommit(keys)) return 'delivered';
  const draw = random.fraction();
  if (draw < 0.1) return 'answer-lost';
  if (draw < 0.2) return 'request-lost';
  if (draw < 0.25) return 'late';
  return draw < 0.3 ? 'doubled' : 'delivered';
};

const countElections = (store: Coordination): (() => number) => {
  let count = 0;
  const ended = new AbortController();
  const options = { prefix: 'partitions/lab/leader', from: 1n, signal: ended.signal };
  const watch = async () => {
    for await (const { events } of store.watch(options)) {
      count += events.filter(({ kind }) => kind === 'put').length;
    }
  };
  watch().catch(() => undefined);
  return () => {
    ended.abort();
    return count;
  };
};
