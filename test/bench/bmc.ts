import type { Bench, BenchOptions, Measured } from './bench.ts';
import { consoleEcho } from './bmc/console.ts';
import { ipmiPower } from './bmc/ipmi-power.ts';
import { redfishFacts } from './bmc/redfish-facts.ts';
import { redfishPower } from './bmc/redfish-power.ts';

/** Rows of the table in the README, by the name that --only takes. */
const ROWS: Readonly<Record<string, (options: BenchOptions) => Promise<readonly Measured[]>>> = {
  'redfish-power': redfishPower,
  'redfish-facts': redfishFacts,
  ipmi: ipmiPower,
  console: consoleEcho,
};

export const bmc: Bench = {
  summary: 'management controllers of whole fleets, each answering after a delay',
  limitMs: 1_800_000,
  run: async (options) => {
    const unknown = options.only.find((name) => ROWS[name] === undefined);
    if (unknown !== undefined) {
      throw new Error(`there is no row "${unknown}"; known: ${Object.keys(ROWS).join(', ')}`);
    }
    const measured: Measured[] = [];
    for (const [name, row] of Object.entries(ROWS)) {
      if (options.only.length > 0 && !options.only.includes(name)) continue;
      options.signal.throwIfAborted();
      measured.push(...(await row(options)));
    }
    return measured;
  },
};
