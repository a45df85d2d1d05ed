/**
 * Sums uses over a span of time: amount times time exactly, and the largest amount at any instant
 * by a sweep over where uses begin and end.
 */
import { resourceExhausted } from '../../runtime/errors.ts';
import type { ClaimUse } from './claim-use.ts';
import { type Interval, overlaps } from './hold.ts';

export type UsageKey = 'project' | 'user' | 'consumer-type';

/** One resource type of a claim. */
export type Use = Omit<ClaimUse, 'amounts' | 'claimUid'> & {
  readonly resourceType: string;
  readonly amount: number;
};

export type UsageRow = {
  /** Empty = it is no key. */
  readonly project: string;
  readonly user: string;
  readonly consumerType: string;
  readonly resourceType: string;
  readonly claims: number;
  readonly amountAtEnd: bigint;
  readonly amountPeak: bigint;
  readonly amountSeconds: bigint;
};

export type UsageReport = {
  /** Counts what of the use lies in the span. Errors: resource_exhausted REPORT_TOO_LARGE. */
  readonly add: (use: Use) => void;
  /** In the order of their keys. */
  readonly rows: () => readonly UsageRow[];
};

export const ROWS_MAX = 10_000;
export const USES_MAX = 1_000_000;

type Sum = {
  readonly project: string;
  readonly user: string;
  readonly consumerType: string;
  readonly resourceType: string;
  claims: number;
  amountAtEnd: bigint;
  amountMs: bigint;
  /** Where uses begin and end within the span, and by how much. */
  readonly timesMs: number[];
  readonly changes: number[];
};

export const createUsageReport = (span: Interval, keys: readonly UsageKey[]): UsageReport => {
  const sums = new Map<string, Sum>();
  let uses = 0;
  const sumFor = (use: Use): Sum => {
    const project = keys.includes('project') ? use.project : '';
    const user = keys.includes('user') ? use.owner : '';
    const consumerType = keys.includes('consumer-type') ? use.consumerType : '';
    const { resourceType } = use;
    const key = JSON.stringify([project, user, consumerType, resourceType]);
    const known = sums.get(key);
    if (known !== undefined) return known;
    if (sums.size >= ROWS_MAX) throw tooLarge(`more than ${ROWS_MAX} rows`);
    const made: Sum = {
      ...{ project, user, consumerType, resourceType },
      ...{ claims: 0, amountAtEnd: 0n, amountMs: 0n, timesMs: [], changes: [] },
    };
    sums.set(key, made);
    return made;
  };
  return {
    add: (use) => {
      if (!overlaps(use, span) || use.amount === 0) return;
      uses += 1;
      if (uses > USES_MAX) throw tooLarge(`more than ${USES_MAX} uses`);
      const sum = sumFor(use);
      const fromMs = Math.max(use.fromMs, span.fromMs);
      const toMs = Math.min(use.toMs, span.toMs);
      sum.claims += 1;
      sum.amountMs += BigInt(use.amount) * BigInt(toMs - fromMs);
      if (use.toMs >= span.toMs) sum.amountAtEnd += BigInt(use.amount);
      sum.timesMs.push(fromMs, toMs);
      sum.changes.push(use.amount, -use.amount);
    },
    rows: () => [...sums.values()].map(rowOf).sort(byKeys),
  };
};

const tooLarge = (what: string) =>
  resourceExhausted(
    'REPORT_TOO_LARGE',
    `The report would have ${what}; ask for a shorter span, one project or fewer keys`,
  );

const rowOf = ({ amountMs, timesMs, changes, ...sum }: Sum): UsageRow => ({
  ...sum,
  amountPeak: peakOf(timesMs, changes),
  amountSeconds: amountMs / 1000n,
});

const peakOf = (timesMs: readonly number[], changes: readonly number[]): bigint => {
  const order = Uint32Array.from(timesMs.keys());
  // What ends at an instant makes room before what begins at it.
  order.sort(
    (a, b) => (timesMs[a] ?? 0) - (timesMs[b] ?? 0) || (changes[a] ?? 0) - (changes[b] ?? 0),
  );
  let sum = 0n;
  let peak = 0n;
  for (const at of order) {
    sum += BigInt(changes[at] ?? 0);
    if (sum > peak) peak = sum;
  }
  return peak;
};

const byKeys = (a: UsageRow, b: UsageRow): number =>
  compare(a.project, b.project) ||
  compare(a.user, b.user) ||
  compare(a.consumerType, b.consumerType) ||
  compare(a.resourceType, b.resourceType);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
