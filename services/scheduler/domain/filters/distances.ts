import type { DistanceConstraint } from '../claim.ts';
import { anyOf, type Constraint, type Filter, noneOf } from '../constraint.ts';
import { nearSets } from '../distance.ts';
import type { ProviderIndex } from '../provider-index.ts';
import { boundsOf } from '../step-bounds.ts';

/** Keeps providers that are near enough to things that are fixed, and far enough from them. */
export const distancesFilter: Filter = {
  name: 'distances',
  constraints: ({ group }, index) =>
    (group.distances ?? []).flatMap((wanted) => constraintsOf(wanted, index)),
};

const constraintsOf = (wanted: DistanceConstraint, index: ProviderIndex): readonly Constraint[] => {
  const { from, type } = wanted;
  // Judged against what is chosen for that group.
  if (from.kind === 'request-group') return [];
  const { least, most } = boundsOf(index.topology(), wanted);
  const sets = (position: number) => nearSets(index, { type, from, position });
  return [
    ...(most === Infinity ? [] : [anyOf(nearWords(wanted), sets(most))]),
    ...(least <= 0 ? [] : [noneOf(farWords(wanted), sets(least - 1))]),
  ];
};

export const nearWords = (wanted: DistanceConstraint): string =>
  `distance ${wanted.type} from ${wordsOf(wanted)} at most ${wanted.maximum}`;

export const farWords = (wanted: DistanceConstraint): string =>
  `distance ${wanted.type} from ${wordsOf(wanted)} at least ${wanted.minimum}`;

const wordsOf = ({ from }: DistanceConstraint): string => {
  switch (from.kind) {
    case 'provider-group':
      return `group ${from.id}`;
    case 'provider':
      return `provider ${from.uid}`;
    case 'consumer':
      return `consumer ${from.uid}`;
    case 'request-group':
      return `request group ${from.name}`;
  }
};
