/**
 * Which sessions are lost because their replica is. The members are heard of by a watch, and of one
 * that has just come another replica may hear later than of its first agent: so a session is lost
 * when its replica is away at a look and still is some time later.
 */
type Session = { readonly uid: string; readonly epoch: number };

/** Sessions whose replica was away at the last look, and since when; monotonic. */
export type Suspects = ReadonlyMap<string, number>;

export const NO_SUSPECTS: Suspects = new Map();

type Look = { readonly nowMs: number; readonly patienceMs: number };

export const lostSessions = <One extends Session>(
  away: readonly One[],
  before: Suspects,
  { nowMs, patienceMs }: Look,
): { readonly lost: readonly One[]; readonly suspects: Suspects } => {
  const sinceOf = (one: One): number | undefined => before.get(keyOf(one));
  const isLost = (one: One): boolean => {
    const sinceMs = sinceOf(one);
    return sinceMs !== undefined && nowMs - sinceMs >= patienceMs;
  };
  const suspected = away.filter((one) => !isLost(one));
  return {
    lost: away.filter(isLost),
    suspects: new Map(suspected.map((one) => [keyOf(one), sinceOf(one) ?? nowMs])),
  };
};

/** An agent that dialled again has another session. */
const keyOf = ({ uid, epoch }: Session): string => `${uid} ${epoch}`;
