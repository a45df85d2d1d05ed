/** In which order a search that got stuck tries the parts of a request again. */
import type { RequestGroup } from './claim.ts';
import type { Run } from './slot.ts';

/**
 * Those with the most conflicts first, but what depends on something chosen before what does not:
 * that leaves it few providers, and shows a contradiction at once.
 */
export const byConflicts = (runs: readonly Run[]): readonly Run[] => {
  const left = new Set(runs);
  const order: Run[] = [];
  while (left.size > 0) {
    const depending = [...left].filter(({ group }) =>
      order.some((before) => areRelated(before.group, group)),
    );
    const next = mostConflicts(depending.length > 0 ? depending : [...left]);
    order.push(next);
    left.delete(next);
  }
  return order;
};

const mostConflicts = (runs: readonly Run[]): Run =>
  runs.reduce((most, run) => (run.conflicts > most.conflicts ? run : most));

const areRelated = (a: RequestGroup, b: RequestGroup): boolean =>
  a === b || isNamedBy(a, b) || isNamedBy(b, a);

const isNamedBy = ({ name }: RequestGroup, { sameSubtree, distances }: RequestGroup): boolean =>
  (sameSubtree ?? []).includes(name) ||
  (distances ?? []).some(({ from }) => from.kind === 'request-group' && from.name === name);
