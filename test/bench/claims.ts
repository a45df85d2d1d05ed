import type { Bench } from './bench.ts';
import { abuse } from './claims/abuse.ts';
import { batch } from './claims/batch.ts';
import { cold } from './claims/cold.ts';
import { decision } from './claims/decision.ts';
import { spread, windows } from './claims/one-caller.ts';
import { embedded, single } from './claims/single.ts';
import { takeover } from './claims/takeover.ts';
import { benchOf, type Rows } from './rows.ts';

const ROWS: Rows = {
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

export const claims: Bench = benchOf(ROWS, {
  summary: 'claims over mTLS on a real etcd, at fleets of any size',
  limitMs: 3_600_000,
});
