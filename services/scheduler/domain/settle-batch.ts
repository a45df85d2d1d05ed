/**
 * What a committed batch gives back, while the next one may be decided already. What that one
 * changes again is given back with it, since a claim or a provider is known as it was decided last,
 * and nothing of that may be free before it is committed.
 */
import type { Decision } from './command.ts';
import type { PartitionState } from './partition-state.ts';

export type Committed = {
  /** In their order, those left over from the commit before first. */
  readonly decisions: readonly Decision[];
  /** Decided after them, and not committed. */
  readonly ahead: readonly Decision[];
};

/** Returns what is left over: it goes before the decisions of the next commit. */
export const settleBatch = (
  state: Pick<PartitionState, 'settle'>,
  { decisions, ahead }: Committed,
  nowMs: number,
): readonly Decision[] => {
  const changing = new Set(ahead.flatMap(uidsIn));
  const left: Decision[] = [];
  for (const decision of decisions) {
    if (uidsIn(decision).some((uid) => changing.has(uid))) left.push(decision);
    else state.settle(decision, nowMs);
  }
  return left;
};

/** Claims and providers of which the decision may give something back. */
const uidsIn = (decision: Decision): readonly string[] => {
  switch (decision.kind) {
    case 'claim':
    case 'forgotten':
      return [decision.claim.uid];
    case 'capacity':
      return [decision.capacity.providerUid];
    case 'reshape':
      return [
        ...decision.capacities.map(({ providerUid }) => providerUid),
        ...decision.claims.map(({ claim }) => claim.uid),
      ];
    case 'shown':
    case 'quota':
      return [];
  }
};
