import type { Bench } from './bench.ts';
import { importFleet } from './enrol/import.ts';
import { metalCreates } from './enrol/metal-creates.ts';
import { enrolServers } from './enrol/servers.ts';
import { benchOf, type Rows } from './rows.ts';

const ROWS: Rows = {
  import: importFleet,
  servers: enrolServers,
  'metal-creates': metalCreates,
};

export const enrol: Bench = benchOf(ROWS, {
  summary: 'a fleet becomes known: imported over mTLS into PostgreSQL, enrolled and claimed',
  limitMs: 7_200_000,
});
