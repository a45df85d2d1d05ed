import type { SetConstraint } from './claim.ts';

const NOTHING: readonly string[] = [];

/**
 * Which parts of a constraint a set does not meet, worded with the noun: "capability x", "no
 * capability y".
 */
export const unmetBy = (
  held: ReadonlySet<string>,
  constraint: SetConstraint,
  noun: string,
): readonly string[] => {
  const { require, forbid } = constraint;
  const oneOf = constraint.any;
  if (require.length + forbid.length + oneOf.length === 0) return NOTHING;
  const unmet: string[] = [];
  for (const code of require) if (!held.has(code)) unmet.push(`${noun} ${code}`);
  for (const code of forbid) if (held.has(code)) unmet.push(`no ${noun} ${code}`);
  if (oneOf.length > 0 && !oneOf.some((code) => held.has(code))) {
    unmet.push(`${noun} ${oneOf.join(' or ')}`);
  }
  return unmet;
};

/** What the block that is nearest to being met lacks; nothing where one is met or there is none. */
export const unmetByAny = (
  held: ReadonlySet<string>,
  blocks: readonly SetConstraint[],
  noun: string,
): readonly string[] => {
  let least: readonly string[] | undefined;
  for (const block of blocks) {
    const unmet = unmetBy(held, block, noun);
    if (unmet.length === 0) return NOTHING;
    if (least === undefined || unmet.length < least.length) least = unmet;
  }
  return least ?? NOTHING;
};
