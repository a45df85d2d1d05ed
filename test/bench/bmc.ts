import type { Bench } from './bench.ts';
import { consoleEcho } from './bmc/console.ts';
import { ipmiPower } from './bmc/ipmi-power.ts';
import { redfishFacts } from './bmc/redfish-facts.ts';
import { redfishPower } from './bmc/redfish-power.ts';
import { benchOf, type Rows } from './rows.ts';

const ROWS: Rows = {
  'redfish-power': redfishPower,
  'redfish-facts': redfishFacts,
  ipmi: ipmiPower,
  console: consoleEcho,
};

export const bmc: Bench = benchOf(ROWS, {
  summary: 'management controllers of whole fleets, each answering after a delay',
  limitMs: 1_800_000,
});
