import type { SetConstraint } from './claim.ts';

/**
 * Which parts of a constraint a set does not meet, worded with the noun: "capability x", "no
 * capability y".
 */
export const unmetBy = (
  held: ReadonlySet<string>,
  constraint: SetConstraint,
  noun: string,
): readonly string[] => {
  const { require, forbid, any } = constraint;
  if (require.length === 0 && forbid.length === 0 && any.length === 0) return NONE;
  const unmet: string[] = [];
  for (const code of require) if (!held.has(code)) unmet.push(`${noun} ${code}`);
  for (const code of forbid) if (held.has(code)) unmet.push(`no ${noun} ${code}`);
  if (any.length > 0 && !any.some((code) => held.has(code))) {
    unmet.push(`${noun} ${any.join(' or ')}`);
  }
  return unmet;
};
