/** A line that is a command to type, and nothing behind it. */
const TO_TYPE = /^\s*(?:next: )?runm [a-z][^;,?`]*[^;,?`.]$/;

/**
 * A remark of a command that was called with these options of place: whoever types what it proposes
 * works where he worked before.
 */
export const proposedIn = (place: readonly string[], remark: string): string =>
  place.length > 0 && TO_TYPE.test(remark) ? [remark, ...place].join(' ') : remark;
