/** When a claim may begin, as far as quotas are concerned. */
import type { Interval } from './hold.ts';
import type { Counting, QuotaBook } from './quota-book.ts';
import type { Amounts } from './quota-count.ts';

export type BeginQuestion = {
  readonly amounts: Amounts;
  readonly durationMs: number;
  /** Of begins, the last of them included. */
  readonly range: Interval;
};

/** Begins at which it passes no limit: spans in their order, the last instant of each included. */
export const beginsWithin = (
  quotas: QuotaBook,
  who: Counting,
  { amounts, durationMs, range }: BeginQuestion,
): readonly Interval[] => {
  if (!quotas.areSetFor(who)) return [range];
  const spans: Interval[] = [];
  let freeMs = range.fromMs;
  for (const { fromMs, toMs } of inOrder(quotas.timesOfExcess(who, amounts))) {
    if (toMs <= freeMs) continue;
    // A claim may end where it begins to be too much.
    const lastMs = Math.min(fromMs - durationMs, range.toMs);
    if (lastMs >= freeMs) spans.push({ fromMs: freeMs, toMs: lastMs });
    freeMs = toMs;
    if (freeMs > range.toMs) return spans;
  }
  if (freeMs <= range.toMs) spans.push({ fromMs: freeMs, toMs: range.toMs });
  return spans;
};

const inOrder = (times: readonly Interval[]): readonly Interval[] =>
  times.toSorted((a, b) => a.fromMs - b.fromMs);
