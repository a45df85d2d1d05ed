import type { Bench, BenchOptions, Measured } from './bench.ts';
import { abuse } from './claims/abuse.ts';
import { batch } from './claims/batch.ts';
import { cold } from './claims/cold.ts';
import { decision } from './claims/decision.ts';
import { spread, windows } from './claims/one-caller.ts';
import { embedded, single } from './claims/single.ts';
import { takeover } from './claims/takeover.ts';

/** Rows of the table in the README, by the name that --only takes. */
const ROWS: Readonly<Record<string, (options: BenchOptions) => Promise<readonly Measured[]>>> = {
  single,
  batch,
  spread,
  decision,
  windows,
  takeover,
  cold,
  embedded,
  abuse,
};

export const claims: Bench = {
  summary: 'claims over mTLS on a real etcd, at fleets of any size',
  limitMs: 3_600_000,
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
