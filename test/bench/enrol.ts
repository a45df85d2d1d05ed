import type { Bench, BenchOptions, Measured } from './bench.ts';
import { importFleet } from './enrol/import.ts';
import { metalCreates } from './enrol/metal-creates.ts';
import { enrolServers } from './enrol/servers.ts';

/** Rows of the table in the README, by the name that --only takes. */
const ROWS: Readonly<Record<string, (options: BenchOptions) => Promise<readonly Measured[]>>> = {
  import: importFleet,
  servers: enrolServers,
  'metal-creates': metalCreates,
};

export const enrol: Bench = {
  summary: 'a fleet becomes known: imported over mTLS into PostgreSQL, enrolled and claimed',
  limitMs: 7_200_000,
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
