/** Looks at many providers, part by part, so that whoever else waits has his turn in between. */
import type { LimitedLooks } from './budget.ts';
import { nextBit } from './number-set.ts';
import type { Member, ProviderIndex } from './provider-index.ts';

/** What is done at a time, in looks: about 10 ms. */
const PART_LOOKS = 250_000;
const PASSED_LOOKS = 1;

export type Visit = {
  readonly bits: Uint32Array;
  readonly spent: LimitedLooks;
  /** How much of it this may take. */
  readonly share: number;
  /** Counts what it does beside passing by. */
  readonly see: (member: Member) => void;
};

export function* visit(
  index: Pick<ProviderIndex, 'open' | 'member'>,
  { bits, spent, share, see }: Visit,
): Generator<void, void> {
  const looksMax = Math.min(spent.looksMax, spent.looks + share);
  let partMax = spent.looks + PART_LOOKS;
  for (let n = nextBit(bits, 0); n >= 0; n = nextBit(bits, n + 1)) {
    if (spent.looks > looksMax) {
      spent.isCut = true;
      return;
    }
    if (spent.looks > partMax) {
      yield;
      partMax = spent.looks + PART_LOOKS;
    }
    spent.looks += PASSED_LOOKS;
    // Some of them may have been closed, or be gone, in between.
    if (index.open.has(n)) see(index.member(n));
  }
}
