/**
 * Which sessions are lost because their replica is. The members are heard of by a watch, and of one
 * that has just come another replica may hear later than of its first agent: so a session is lost
 * when its replica is away at two looks in a row.
 */
type Session = { readonly uid: string; readonly epoch: number };

/** Sessions whose replica was away at the last look. */
export type Suspects = ReadonlySet<string>;

export const NO_SUSPECTS: Suspects = new Set();

export const lostSessions = <One extends Session>(
  away: readonly One[],
  before: Suspects,
): { readonly lost: readonly One[]; readonly suspects: Suspects } => {
  const isLost = (one: One) => before.has(keyOf(one));
  return {
    lost: away.filter(isLost),
    suspects: new Set(away.filter((one) => !isLost(one)).map(keyOf)),
  };
};

/** An agent that dialled again has another session. */
const keyOf = ({ uid, epoch }: Session): string => `${uid} ${epoch}`;
