/**
 * How much of the leader's time one request may take. What a search does is counted as it does it,
 * never read from a clock, so that the same request on the same state ends in the same way.
 */

/** Counts what was looked at, in units of what one comparison of two numbers in a list takes. */
export type Looks = { looks: number };

export type LimitedLooks = Looks & {
  readonly looksMax: number;
  /** Something was not looked at, so that whoever found nothing does not know. */
  isCut: boolean;
};

export type Budget = LimitedLooks & {
  /** Choices of a provider for a placement, also those that were taken back. */
  expansions: number;
  readonly expansionsMax: number;
  /**
   * What is looked at once for each group, whatever comes of it: the fleet. It ends no search,
   * since a refusal is worth nothing before everything was looked at, but those that come after.
   * Its own limit is beyond what a fleet of the planned size takes for a few groups.
   */
  readonly once: LimitedLooks;
};

/** A look takes about 40 ns, so that a search of 50 000 expansions ends after about 100 ms. */
export const LOOKS_PER_EXPANSION = 50;
/** About half a second: a leader that stands still for seconds loses its lease. */
const ONCE_LOOKS_MAX = 12_000_000;

export const createBudget = (expansionsMax: number, onceMax = ONCE_LOOKS_MAX): Budget => ({
  expansions: 0,
  looks: 0,
  looksMax: expansionsMax * LOOKS_PER_EXPANSION,
  isCut: false,
  expansionsMax,
  once: { looks: 0, looksMax: onceMax, isCut: false },
});

/** Whether a search must give up. */
export const isSpent = ({ expansions, looks, expansionsMax, looksMax }: Budget): boolean =>
  expansions > expansionsMax || looks > looksMax;

/** Whether something was left out, so that nothing found is nothing known. */
export const isCutShort = ({ isCut, once }: Budget): boolean => isCut || once.isCut;

/** Whether no further search may begin. */
export const isUsedUp = ({ expansions, looks, once, expansionsMax, looksMax }: Budget): boolean =>
  expansions >= expansionsMax || looks + once.looks >= looksMax;

/** What beginning a search takes, in looks. */
const BEGIN_LOOKS = 500;

/** Runs one of several searches with its part of a budget, at most so much and what is left. */
export const spendPart = <T>(
  shared: Budget,
  expansionsMax: number,
  spend: (part: Budget) => T,
): T => {
  const { expansions, looks, once } = shared;
  const used = Math.max(expansions, (looks + once.looks) / LOOKS_PER_EXPANSION);
  const left = Math.max(0, Math.floor(shared.expansionsMax - used));
  const part = createBudget(Math.min(expansionsMax, left), once.looksMax);
  try {
    return spend(part);
  } finally {
    shared.expansions += part.expansions;
    shared.looks += BEGIN_LOOKS + part.looks;
    shared.once.looks += part.once.looks;
  }
};
