import type { BenchOptions, Measured } from '../bench.ts';
import { startRedfishFleet } from './redfish-fleet.ts';

const SIZE = 1_000;

/** What every server of a fleet is made of, from nothing, and how many calls each takes. */
export const redfishFacts = async (options: BenchOptions): Promise<readonly Measured[]> => {
  await using fleet = await startRedfishFleet(SIZE);
  const before = await fleet.requests();
  const seconds = await fleet.sweep('facts');
  const calls = ((await fleet.requests()) - before) / SIZE;
  const bare = await fleet.sweep('bare', { calls: Math.round(calls) });
  options.note(
    `${SIZE}: ${calls.toFixed(1)} calls a server; by the library alone ${bare.toFixed(2)} s`,
  );
  const limitCommand = 'npm run bench -- bmc --only redfish-facts';
  return [
    {
      ...{ figure: `redfish_facts_sweep@${SIZE}`, value: seconds, unit: 's', samples: 1 },
      ...{ limit: bare, limitCommand },
    },
    { figure: 'redfish_facts_calls', value: calls, unit: 'calls', samples: SIZE },
  ];
};
