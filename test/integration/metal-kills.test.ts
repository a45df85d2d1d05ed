/**
 * kill -9 of agent, control plane and lab at every step that a server's day leaves on record. The
 * default run samples; `npm run soak:metal` tries all of them. RUNM_METAL_SEED repeats a sample.
 */
import { inspect } from 'node:util';
import test from 'ava';
import { systemRandom } from '../../services/runtime/random.ts';
import { type Day, VERBS } from '../support/metal-kills/day.ts';
import { type Kill, type Parts, runDay, type Seen } from '../support/metal-kills/run.ts';
import { startSite } from '../support/metal-kills/site.ts';
import { watchClaims, watchSteps } from '../support/metal-kills/watch.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { seededRandom } from '../support/seeded-random.ts';

const VICTIMS = ['agent', 'control plane', 'lab'] as const;
const SERVERS = 3;
/** No day begins later than this after the unharmed one; by default one server has one. */
const FACTOR = process.env.RUNM_METAL_FACTOR;
const BUDGET_MS = FACTOR === undefined ? 0 : propertyRuns(15_000, FACTOR);
const LAST_DAY_MS = 15 * 60_000;

/** "delete: delete detach done: agent" tries this one alone. */
const ONLY = new RegExp(process.env.RUNM_METAL_ONLY ?? '');

type Chance = ReturnType<typeof seededRandom>;

const shuffled = <T>(list: readonly T[], chance: Chance): T[] =>
  list
    .map((one) => ({ one, at: chance.fraction() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ one }) => one);

/** All there are, in an order of the seed; a day takes one of each verb. */
const killsOf = (calm: Seen, chance: Chance): Map<Kill['verb'], Kill[]> =>
  new Map(
    VERBS.map((verb) => {
      const steps = calm.get(verb) ?? [];
      const all = steps
        .flatMap((step) => VICTIMS.map((victim) => ({ verb, step, victim })))
        .filter((one) => ONLY.test(`${verb}: ${one.step}: ${one.victim}`));
      const whens = shuffled(all, chance).map((one) => ({
        ...one,
        // At the step, or amid what follows it.
        afterMs: chance.fraction() < 0.5 ? 0 : Math.floor(chance.fraction() * 40),
        downMs: Math.floor(chance.fraction() * 1_500),
      }));
      return [verb, whens];
    }),
  );

test('who dies at whichever step of a server’s day, it ends as an unharmed day does', async (t) => {
  t.timeout(BUDGET_MS + LAST_DAY_MS);
  const seed = Number(process.env.RUNM_METAL_SEED ?? Math.floor(systemRandom.fraction() * 2 ** 31));
  t.log(`seed ${seed}`);
  await using site = await startSite(SERVERS);
  using steps = watchSteps(site);
  await using claims = watchClaims(site);
  const parts: Parts = { site, steps, claims, say: (line) => t.log(line) };
  let days = 0;
  const newDay = (lane: number): Day => {
    days += 1;
    const server = site.rack.servers[lane];
    if (server === undefined) throw new Error('no server');
    return { server, machineId: `m${days}`, providerUid: '' };
  };
  const beganMs = performance.now();
  const explain = (error: unknown) => {
    // Now, for the parts take a while to stop: a run that is broken off then still says why.
    t.log(inspect(error));
    t.log(site.lastWords());
    throw error;
  };
  const calm = await runDay(parts, newDay(0), { kills: [] }).catch(explain);
  const calmMs = performance.now() - beganMs;
  for (const [verb, seen] of calm) t.log(`${verb}: ${seen.join(', ')}`);
  const kills = killsOf(calm, seededRandom(seed));
  const left = () => [...kills.values()].reduce((sum, { length }) => sum + length, 0);
  const all = left();
  const lane = async (at: number): Promise<void> => {
    const isOver = () => performance.now() - beganMs >= calmMs + BUDGET_MS;
    for (let day = 0; left() > 0 && ((at === 0 && day === 0) || !isOver()); day += 1) {
      const today = [...kills.values()].flatMap((some) => some.splice(0, 1));
      await runDay(parts, newDay(at), { kills: today, calm });
    }
  };
  await Promise.all(site.rack.servers.map((_, at) => lane(at))).catch(explain);
  const seconds = Math.round((performance.now() - beganMs) / 1_000);
  t.log(
    `${all - left()} of ${all} kills in ${days - 1} days, ${seconds} s; ` +
      `an unharmed day takes ${Math.round(calmMs)} ms`,
  );
  t.deepEqual(claims.wrongs, []);
});
