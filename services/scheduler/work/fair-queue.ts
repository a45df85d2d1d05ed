/**
 * Commands that wait for the leader, in turns by caller: whoever asks for what takes long to decide
 * waits for himself and not for the others. Deficit round robin
 * (https://doi.org/10.1109/90.502236), counted in the time that decisions took.
 */
import type { Pending } from './pending.ts';

export type FairQueue = {
  readonly size: () => number;
  readonly push: (pending: Pending) => void;
  readonly shift: () => Pending | undefined;
  /** It comes first when its caller has the turn. */
  readonly unshift: (pending: Pending) => void;
  /** Tells how long the decision of a command took that was taken before. */
  readonly charge: (pending: Pending, ms: number) => void;
  readonly takeAll: () => readonly Pending[];
};

type Caller = {
  readonly name: string;
  waiting: Pending[];
  /** Place of the first in `waiting`: shifting a long array is slow. */
  from: number;
  creditMs: number;
  /** Among those whose turn comes. */
  isListed: boolean;
};

/** What a caller may use before it is the next one's turn. */
const TURN_MS = 1;
/** Callers in debt that are remembered while they ask for nothing. */
const CALLERS_MAX = 10_000;
/** One decision is never charged more: a pause of the process is nobody's fault. */
const CHARGE_MS_MAX = 200;

export const createFairQueue = (): FairQueue => {
  const callers = new Map<string, Caller>();
  /** Callers with something waiting, whose turn it is first. */
  let turns: Caller[] = [];
  let size = 0;

  const callerOf = ({ command: { origin } }: Pending): Caller => {
    const name = origin.onBehalfOf ?? origin.principal;
    const known = callers.get(name);
    if (known !== undefined) return known;
    if (callers.size >= CALLERS_MAX) forgetIdle();
    const made = { name, waiting: [], from: 0, creditMs: TURN_MS, isListed: false };
    callers.set(name, made);
    return made;
  };
  const forgetIdle = (): void => {
    for (const [name, { isListed }] of callers) if (!isListed) callers.delete(name);
  };
  const isIdle = ({ waiting, from }: Caller): boolean => from >= waiting.length;
  const nextTurn = (): void => {
    const [caller, ...rest] = turns;
    if (caller === undefined) return;
    turns = rest;
    if (!isIdle(caller)) {
      caller.creditMs += TURN_MS;
      turns.push(caller);
      return;
    }
    caller.isListed = false;
    // Who used more than his share owes it still when he comes again.
    if (caller.creditMs >= 0) callers.delete(caller.name);
  };
  const enter = (caller: Caller): void => {
    if (caller.isListed) return;
    caller.isListed = true;
    turns.push(caller);
  };

  return {
    size: () => size,
    push: (pending) => {
      const caller = callerOf(pending);
      enter(caller);
      caller.waiting.push(pending);
      size += 1;
    },
    unshift: (pending) => {
      const caller = callerOf(pending);
      enter(caller);
      if (caller.from > 0) {
        caller.from -= 1;
        caller.waiting[caller.from] = pending;
      } else caller.waiting.unshift(pending);
      size += 1;
    },
    shift: () => {
      for (let caller = turns[0]; caller !== undefined; caller = turns[0]) {
        if (isIdle(caller) || (caller.creditMs <= 0 && turns.length > 1)) {
          nextTurn();
          continue;
        }
        const pending = caller.waiting[caller.from];
        caller.from += 1;
        if (caller.from > 256 && caller.from * 2 > caller.waiting.length) {
          caller.waiting = caller.waiting.slice(caller.from);
          caller.from = 0;
        }
        size -= 1;
        return pending;
      }
      return undefined;
    },
    charge: (pending, ms) => {
      const caller = callerOf(pending);
      caller.creditMs -= Math.min(ms, CHARGE_MS_MAX);
      if (!caller.isListed && caller.creditMs >= 0) callers.delete(caller.name);
    },
    takeAll: () => {
      const all = turns.flatMap(({ waiting, from }) => waiting.slice(from));
      callers.clear();
      turns = [];
      size = 0;
      return all;
    },
  };
};
