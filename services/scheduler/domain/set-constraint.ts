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
  const unmet: string[] = [];
  for (const code of constraint.require) if (!held.has(code)) unmet.push(`${noun} ${code}`);
  for (const code of constraint.forbid) if (held.has(code)) unmet.push(`no ${noun} ${code}`);
  if (constraint.any.length > 0 && !constraint.any.some((code) => held.has(code))) {
    unmet.push(`${noun} ${constraint.any.join(' or ')}`);
  }
  return unmet;
};
