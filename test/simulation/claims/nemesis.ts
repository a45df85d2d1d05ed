/**
 * Makes processes stand still and go on, kills them, and lets late messages arrive. It likes the
 * leader best, and to wake a former one as soon as another leads: then both believe in themselves.
 */
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import { LEASE_MS, type SimulatedReplica } from './replica.ts';
import type { Site } from './site.ts';

export type NemesisDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly site: Site;
  readonly isCalm: () => boolean;
};

export type Nemesis = {
  readonly step: () => Promise<void>;
  /** Everything goes on, and what was late arrives. */
  readonly end: () => Promise<void>;
  readonly faults: Readonly<Record<string, number>>;
};

type Frozen = { readonly untilMs: number; readonly untilReplaced: boolean };

const KILLS_MAX = 2;

export const createNemesis = ({ clock, random, site, isCalm }: NemesisDeps): Nemesis => {
  const frozen = new Map<SimulatedReplica, Frozen>();
  const faults = { frozen: 0, killed: 0, wokenBesideNext: 0, released: 0 };
  const victim = async (): Promise<SimulatedReplica | undefined> => {
    const leader = await site.leader();
    const running = site.replicas().filter(({ gate }) => gate.isOpen());
    const leading = running.find(({ address }) => address === leader);
    if (leading !== undefined && random.fraction() < 0.7) return leading;
    return running[Math.floor(random.fraction() * running.length)];
  };
  const thaw = async (): Promise<void> => {
    const leader = frozen.size === 0 ? undefined : await site.leader();
    for (const [replica, { untilMs, untilReplaced }] of frozen) {
      const isReplaced = leader !== undefined && leader !== replica.address;
      const isDue = clock.monotonicMs() >= untilMs || (untilReplaced && isReplaced) || isCalm();
      if (!isDue) continue;
      if (isReplaced) faults.wokenBesideNext += 1;
      frozen.delete(replica);
      replica.gate.open();
    }
  };
  const freeze = (replica: SimulatedReplica): void => {
    if (random.fraction() < 0.5) replica.gate.close();
    else replica.gate.closeAtCommit();
    faults.frozen += 1;
    frozen.set(replica, {
      untilMs: clock.monotonicMs() + random.fraction() * 4 * LEASE_MS,
      untilReplaced: random.fraction() < 0.6,
    });
  };
  const releaseLate = async (): Promise<void> => {
    for (const { releaseLate: release } of site.replicas()) await release();
  };
  return {
    faults,
    step: async () => {
      await thaw();
      if (isCalm()) return;
      if (random.fraction() < 0.06) {
        faults.released += 1;
        await releaseLate();
      }
      const draw = random.fraction();
      if (draw > 0.025) return;
      const chosen = await victim();
      if (chosen === undefined) return;
      if (draw > 0.003 || faults.killed >= KILLS_MAX) return freeze(chosen);
      faults.killed += 1;
      frozen.delete(chosen);
      await site.replace(chosen);
    },
    end: async () => {
      await thaw();
      await releaseLate();
    },
  };
};
