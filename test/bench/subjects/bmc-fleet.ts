/** Controllers of a bench: so many in one process, each answer after a delay. */
import { type Fleet, startFleet } from '../../../deploy/lab/fleet.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { serveParent } from '../serve-parent.ts';

export type FleetAsked = {
  readonly count: number;
  readonly latencyMs: number;
  readonly user: string;
  readonly password: string;
};

let fleet: Fleet | undefined;

const begin = async ({ count, latencyMs, ...credentials }: FleetAsked): Promise<string[]> => {
  const begun = await startFleet(
    {
      ...{ count, latencyMs, jitterMs: 0, seed: 1, faults: new Map(), credentials },
      ...{ redfishPort: 0, ipmiPort: undefined },
    },
    { clock: systemClock, random: systemRandom },
  );
  // What is made at the first call of each is not the sweep's.
  for (let index = 0; index < count; index += 1) begun.bmcOf(index);
  fleet = begun;
  return Array.from({ length: count }, (_, index) => begun.redfishOf(index));
};

serveParent({
  begin,
  requests: () => fleet?.requests() ?? 0,
  memoryBytes: () => process.memoryUsage().rss,
});
