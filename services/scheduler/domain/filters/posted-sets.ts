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
  constraint: SetConstraint,
  { noun, key, isPart }: Listed,
): readonly Constraint[] => {
  const { require, forbid } = constraint;
  const oneOf = constraint.any;
  const setOf = (value: string) => postings.of(key(value));
  return [
    ...(isPart ? [] : require.map((value) => anyOf(`${noun} ${value}`, [setOf(value)]))),
    ...forbid.map((value) => noneOf(`no ${noun} ${value}`, [setOf(value)])),
    ...(isPart || oneOf.length === 0
      ? []
      : [anyOf(`${noun} ${oneOf.join(' or ')}`, oneOf.map(setOf))]),
  ];
};
