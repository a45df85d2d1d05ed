import type { SetConstraint } from './claim.ts';

/** True when a set meets the constraint. */
export const meets = (held: ReadonlySet<string>, constraint: SetConstraint): boolean => {
  const { require, forbid } = constraint;
  const oneOf = constraint.any;
  for (const code of require) if (!held.has(code)) return false;
  for (const code of forbid) if (held.has(code)) return false;
  return oneOf.length === 0 || oneOf.some((code) => held.has(code));
};

/** True when one of the blocks is met, or there is none. */
export const meetsOne = (held: ReadonlySet<string>, blocks: readonly SetConstraint[]): boolean =>
  blocks.length === 0 || blocks.some((block) => meets(held, block));

export const isEmptyConstraint = (constraint: SetConstraint): boolean =>
  constraint.require.length + constraint.forbid.length + constraint.any.length === 0;

/** A block as people read it: "a and b and no c and (d or e)". */
export const wordsOf = (block: SetConstraint): string => {
  const oneOf = block.any.length > 1 ? `(${block.any.join(' or ')})` : block.any.join();
  return [
    ...block.require,
    ...block.forbid.map((code) => `no ${code}`),
    ...(oneOf === '' ? [] : [oneOf]),
  ].join(' and ');
};
