/**
 * Which agents of a pool could not reach a controller, so that the work there goes to one that
 * can. Whoever reaches it keeps it: only the holder's own failure moves it on. While nobody does,
 * because the controller is away, each of the pool tries, and then again after longer and longer.
 */

export type Miss = {
  /** Lower-case name. */
  readonly agentKey: string;
  /** When it first could not, and when last. */
  readonly sinceMs: number;
  readonly lastMs: number;
  /** Turns that it had in vain. */
  readonly turns: number;
  /** It is in the timeline that another works there instead. */
  readonly isTold: boolean;
};

const RETRY_MS = { min: 60_000, max: 5 * 60_000 } as const;
/** A balance leaves it alone for so long: what an agent cannot reach is seldom mended sooner. */
const UNFIT_MS = 24 * 3_600_000;

const retryMs = ({ lastMs, turns }: Miss): number =>
  lastMs + Math.min(RETRY_MS.max, RETRY_MS.min * 2 ** Math.min(turns - 1, 10));

/** Of one turn only the first failure counts. */
export const afterMiss = (
  missed: readonly Miss[],
  agentKey: string,
  nowMs: number,
): readonly Miss[] => {
  const before = missed.find((one) => one.agentKey === agentKey);
  if (before !== undefined && retryMs(before) > nowMs) return missed;
  const { sinceMs, turns, isTold } = before ?? { sinceMs: nowMs, turns: 0, isTold: false };
  const now = { agentKey, sinceMs, lastMs: nowMs, turns: turns + 1, isTold };
  return [...missed.filter((one) => one !== before), now];
};

export const asTold = (missed: readonly Miss[], agentKey: string): readonly Miss[] =>
  missed.map((one) => (one.agentKey === agentKey ? { ...one, isTold: true } : one));

/** Those that have the turn after the one that could not; empty: it keeps it. */
export const othersAfter = (
  missed: readonly Miss[],
  up: readonly string[],
  at: { readonly agentKey: string; readonly nowMs: number },
): readonly string[] => {
  const others = up.filter((key) => key !== at.agentKey);
  const fresh = withoutMissed(missed, others);
  if (fresh.length > 0) return fresh;
  return others.filter((key) =>
    missed.some((one) => one.agentKey === key && retryMs(one) <= at.nowMs),
  );
};

/** Those of whom nothing is known that speaks against them. */
export const withoutMissed = (
  missed: readonly Miss[],
  keys: readonly string[],
): readonly string[] => keys.filter((key) => missed.every(({ agentKey }) => agentKey !== key));

export const isUnfit = (missed: readonly Miss[], key: string, nowMs: number): boolean =>
  missed.some(({ agentKey, lastMs }) => agentKey === key && nowMs < lastMs + UNFIT_MS);

export const shortName = (agentKey: string): string =>
  agentKey.slice(agentKey.lastIndexOf('/') + 1);

/** For people who look at what works there. */
export const missRemarks = (missed: readonly Miss[]): readonly string[] =>
  missed.map(({ agentKey, sinceMs, lastMs }) => {
    const [since, last] = [new Date(sinceMs).toISOString(), new Date(lastMs).toISOString()];
    const when = turnsText(since, last);
    return `agent ${shortName(agentKey)} could not reach it (${when}): another works here`;
  });

const turnsText = (since: string, last: string): string =>
  since === last ? `at ${since}` : `since ${since}, last at ${last}`;

/** As it stands in a row. */
export const missedText = (missed: readonly Miss[]): string =>
  missed.length === 0 ? '' : JSON.stringify(missed);

export const missedOf = (text: string): readonly Miss[] => (text === '' ? [] : JSON.parse(text));
