import type { SqlStore } from '../../services/store/sql/open.ts';

/** Readers of a change feed that behave irregularly, by chance. */
/**
 * A small generator (mulberry32), so that a failure can be replayed as far as the database allows.
 */
export const seededChance = (seed: number) => {
  let state = seed;
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
};
type Chance = ReturnType<typeof seededChance>;

/** Lets others run that many times. */
export const pauses = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
};

const background = (work: (stopped: () => boolean) => Promise<void>, uids: readonly string[]) => {
  let isStopped = false;
  const done = work(() => isStopped);
  return {
    uids: () => uids,
    stop: () => {
      isStopped = true;
      return done;
    },
  };
};

/** Reads pages of random size at random moments. */
export const readInSteps = (store: SqlStore, start: string, chance: Chance) => {
  const uids: string[] = [];
  return background(async (stopped) => {
    for (let token = start; !stopped(); ) {
      const batch = await store.changes.read({ token, limit: 1 + chance(5) });
      uids.push(...batch.changes.map(({ uid }) => uid));
      ({ token } = batch);
      await pauses(chance(20));
    }
  }, uids);
};

/** Follows a few batches on one replica, leaves, and goes on with its token on the other. */
export const resumeOften = (stores: readonly SqlStore[], start: string, chance: Chance) => {
  const uids: string[] = [];
  return background(async (stopped) => {
    let token = start;
    for (let turn = 0; !stopped(); turn += 1) {
      const stop = new AbortController();
      const store = stores[turn % stores.length];
      let left = chance(4);
      const giveUp = AbortSignal.any([stop.signal, AbortSignal.timeout(200)]);
      for await (const batch of store?.changes.follow({ token, signal: giveUp }) ?? []) {
        uids.push(...batch.changes.map(({ uid }) => uid));
        ({ token } = batch);
        left -= 1;
        if (left < 0) {
          stop.abort();
        }
      }
    }
  }, uids);
};
