import type { BenchOptions } from './bench.ts';
import { median } from './median.ts';

export type Pair = {
  readonly samples: number;
  readonly subject: () => Promise<number>;
  readonly limit: () => Promise<number>;
};

export type PairedResult = {
  readonly subject: number;
  readonly limit: number;
  readonly samples: number;
};

/**
 * Measures in turn, subject limit subject limit: what else runs on the machine then weighs on both
 * alike, which it would not if one came after the other. Answers medians.
 */
export const paired = async (pair: Pair, { signal }: BenchOptions): Promise<PairedResult> => {
  const subject: number[] = [];
  const limit: number[] = [];
  for (let taken = 0; taken < pair.samples; taken += 1) {
    signal.throwIfAborted();
    subject.push(await pair.subject());
    signal.throwIfAborted();
    limit.push(await pair.limit());
  }
  return { subject: median(subject), limit: median(limit), samples: pair.samples };
};
