/**
 * The placements that a request asks for, one by one, in the order in which a search fills them.
 */
import type { Candidate } from './candidate.ts';
import { type ClaimSpec, isOverSeveral, type RequestGroup } from './claim.ts';
import type { NumberSet } from './number-set.ts';
import type { Member } from './provider-index.ts';
import type { Selection } from './selection.ts';
import type { Bin } from './spread-bins.ts';
import type { Stream } from './stream.ts';
import type { Take } from './tally.ts';

/** The placements of one group, or of one resource of it, for all indices. */
export type Run = {
  /** Among the runs of its request. */
  readonly number: number;
  readonly group: RequestGroup;
  readonly take: Take;
  /** Position of the one resource; undefined = the whole group comes from one provider. */
  readonly resource: number | undefined;
  readonly selection: Selection;
  readonly stream: Stream;
  /** Candidates of it restricted to some providers, for what depends on what is chosen already. */
  readonly restricted: (only: readonly NumberSet[]) => Stream;
  /** What this provider would be for the run, whether or not the stream has come to it. */
  readonly candidate: (member: Member) => Candidate | undefined;
  /** How often a search had nothing for a slot of it. */
  conflicts: number;
  /** What a search learned of the run; valid for the rest of it while the frame stands. */
  readonly failed: Set<number>;
  readonly failedTwins: Set<number>;
  readonly emptied: Set<Bin>;
  /** Places of its stream before this one have nothing for it. */
  passed: number;
  /** Bins in which there was nothing for it from the beginning. */
  readonly barren: Set<Bin>;
};

export type Slot = {
  readonly run: Run;
  readonly index: number;
  /** What fails here fails in all later slots of the run. */
  readonly carries: boolean;
};

export type Chosen = { readonly slot: Slot; readonly candidate: Candidate };

/**
 * Group by group; index by index where groups of one index depend on each other or count together,
 * so that a bad choice shows at once. Groups with fewer candidates come first: they fail soonest.
 */
export const slotsOf = (
  runs: readonly Run[],
  { count, groups, spread }: Pick<ClaimSpec, 'count' | 'groups' | 'spread'>,
): readonly Slot[] => {
  const indices = Array.from({ length: count }, (_, index) => index);
  // Of what is spread, other groups of an index make their places unlike for its run.
  const isShared = groups.length > 1 && (spread?.maxPerGroup ?? 0) > 0;
  if (!isShared && !groups.some(dependsOnIndex)) {
    return runs.flatMap((run) => indices.map((index) => ({ run, index, carries: true })));
  }
  return indices.flatMap((index) => runs.map((run, at) => ({ run, index, carries: at === 0 })));
};

/** Whether its placements at an index depend on other placements at the same index. */
const dependsOnIndex = (group: RequestGroup) =>
  isOverSeveral(group) ||
  (group.sameSubtree ?? []).length > 0 ||
  (group.distances ?? []).some(
    ({ from }) => from.kind === 'request-group' && from.name !== group.name,
  );
