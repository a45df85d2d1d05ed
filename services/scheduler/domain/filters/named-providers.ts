import { anyOf, type Constraint, type Filter } from '../constraint.ts';
import { NumberSet } from '../number-set.ts';
import type { ProviderIndex } from '../provider-index.ts';

/** Keeps the providers that the request names, and those in the tree that it names. */
export const namedProvidersFilter: Filter = {
  name: 'named-providers',
  constraints: ({ group }, index) => [
    ...(group.providers.length === 0
      ? []
      : [anyOf('one of the named providers', [numbersOf(index, group.providers)])]),
    ...(group.inTree === undefined ? [] : [inTree(index, group.inTree)]),
  ],
};

const numbersOf = (index: ProviderIndex, uids: readonly string[]): NumberSet => {
  const set = new NumberSet();
  for (const uid of uids) {
    const member = index.find(uid);
    if (member !== undefined) set.add(member.n);
  }
  return set;
};

const inTree = (index: ProviderIndex, uid: string): Constraint => {
  const top = index.find(uid);
  const set = new NumberSet();
  if (top !== undefined) for (const n of [top.n, ...index.forest.below(top.n)]) set.add(n);
  return anyOf(`in the tree of ${top?.facts?.name ?? uid}`, [set]);
};
