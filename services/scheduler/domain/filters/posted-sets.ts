/** A constraint on what providers are listed by: groups and tags. */
import type { SetConstraint } from '../claim.ts';
import { anyOf, type Constraint, noneOf } from '../constraint.ts';
import type { ProviderIndex } from '../provider-index.ts';

export type Listed = {
  readonly noun: string;
  readonly key: (value: string) => string;
  /** Only what each provider of several must not have. */
  readonly isPart: boolean;
};

export const listedConstraints = (
  { postings }: ProviderIndex,
  { require, forbid, any }: SetConstraint,
  { noun, key, isPart }: Listed,
): readonly Constraint[] => {
  const setOf = (value: string) => postings.of(key(value));
  return [
    ...(isPart ? [] : require.map((value) => anyOf(`${noun} ${value}`, [setOf(value)]))),
    ...forbid.map((value) => noneOf(`no ${noun} ${value}`, [setOf(value)])),
    ...(isPart || any.length === 0 ? [] : [anyOf(`${noun} ${any.join(' or ')}`, any.map(setOf))]),
  ];
};
