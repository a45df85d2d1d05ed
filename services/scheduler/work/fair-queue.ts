/**
 * Commands that wait for the leader, in turns by caller: whoever asks for what takes long to decide
 * waits for himself and not for the others. Deficit round robin
 * (https://doi.org/10.1109/90.502236), counted in the time that decisions took. Nobody owes for
 * longer than others could have been served: a debt ages with the time, and is forgotten as soon as
 * nothing waits.
 */
import type { Pending } from './pending.ts';

export type FairQueue = {
  readonly size: () => number;
  /**
   * How many commands of this one's caller wait. He may have as many as there is room for beside
   * them: one alone leaves half of the queue to others, two leave a third.
   */
  readonly waitingOf: (command: Pending['command']) => number;
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
  readonly waiting: Line<Pending>;
  creditMs: number;
  /** When he left with that credit, while he is not among those whose turn comes. */
  leftMs: number;
  /** Among those whose turn comes. */
  isListed: boolean;
};

/** What a caller may use before it is the next one's turn. */
const TURN_MS = 1;
/** Callers in debt that are remembered while they ask for nothing. */
const CALLERS_MAX = 10_000;
/** One decision is never charged more: a pause of the process is nobody's fault. */
const CHARGE_MS_MAX = 200;
/** Nobody owes more: who was served alone kept nobody waiting. */
const DEBT_MS_MAX = 1_000;

export const createFairQueue = (monotonicMs: () => number): FairQueue => {
  const callers = new Map<string, Caller>();
  const turns = createLine<Caller>();
  let size = 0;

  const callerOf = ({ command }: Pending): Caller => {
    const name = nameIn(command);
    const known = callers.get(name);
    if (known !== undefined) {
      if (!known.isListed) age(known, monotonicMs());
      return known;
    }
    if (callers.size >= CALLERS_MAX) forgetIdle();
    const made: Caller = {
      name,
      waiting: createLine(),
      creditMs: TURN_MS,
      leftMs: monotonicMs(),
      isListed: false,
    };
    callers.set(name, made);
    return made;
  };
  const forgetIdle = (): void => {
    for (const [name, { isListed }] of callers) if (!isListed) callers.delete(name);
  };
  const enter = (caller: Caller): void => {
    if (caller.isListed) return;
    caller.isListed = true;
    turns.push(caller);
  };
  const leave = (caller: Caller): void => {
    caller.isListed = false;
    caller.leftMs = monotonicMs();
    // Who used more than his share owes it still when he comes again soon.
    if (caller.creditMs >= 0) callers.delete(caller.name);
  };
  /** Whoever has the turn; undefined = nothing waits. */
  const next = (): Caller | undefined => {
    let passed = 0;
    for (let caller = turns.first(); caller !== undefined; caller = turns.first()) {
      if (isIdle(caller)) {
        turns.shift();
        leave(caller);
        continue;
      }
      if (caller.creditMs > 0 || turns.size() === 1) return caller;
      turns.shift();
      caller.creditMs += TURN_MS;
      turns.push(caller);
      passed += 1;
      // All are in debt: the rounds in which nobody would be served are made up at once.
      if (passed === turns.size()) forgive(turns.all());
    }
    return undefined;
  };

  return {
    size: () => size,
    waitingOf: (command) => {
      const caller = callers.get(nameIn(command));
      return caller === undefined ? 0 : caller.waiting.size();
    },
    push: (pending) => {
      const caller = callerOf(pending);
      enter(caller);
      caller.waiting.push(pending);
      size += 1;
    },
    unshift: (pending) => {
      const caller = callerOf(pending);
      enter(caller);
      caller.waiting.unshift(pending);
      size += 1;
    },
    shift: () => {
      const caller = next();
      if (caller === undefined) {
        callers.clear();
        return undefined;
      }
      size -= 1;
      return caller.waiting.shift();
    },
    charge: (pending, ms) => {
      const caller = callerOf(pending);
      const creditMs = caller.creditMs - Math.min(ms, CHARGE_MS_MAX);
      caller.creditMs = Math.max(creditMs, -DEBT_MS_MAX);
      if (!caller.isListed) leave(caller);
    },
    takeAll: () => {
      const all = turns.all().flatMap(({ waiting }) => waiting.all());
      callers.clear();
      turns.clear();
      size = 0;
      return all;
    },
  };
};

const nameIn = ({ origin }: Pending['command']): string => origin.onBehalfOf ?? origin.principal;

const isIdle = ({ waiting }: Caller): boolean => waiting.size() === 0;

/** While he asked for nothing the others could be served. */
const age = (caller: Caller, nowMs: number): void => {
  caller.creditMs = Math.min(TURN_MS, caller.creditMs + Math.max(0, nowMs - caller.leftMs));
  caller.leftMs = nowMs;
};

/** As many rounds for everybody as the least debt needs. */
const forgive = (callers: Iterable<Caller>): void => {
  const all = [...callers];
  const least = Math.max(...all.map(({ creditMs }) => creditMs));
  if (least > 0) return;
  const rounds = Math.floor(-least / TURN_MS) + 1;
  for (const caller of all) caller.creditMs += rounds * TURN_MS;
};

/** A list that is taken from at its begin and added to at its end. */
type Line<T> = {
  readonly size: () => number;
  readonly first: () => T | undefined;
  readonly push: (item: T) => void;
  readonly shift: () => T | undefined;
  readonly unshift: (item: T) => void;
  readonly all: () => readonly T[];
  readonly clear: () => void;
};

const createLine = <T>(): Line<T> => {
  let items: (T | undefined)[] = [];
  /** Place of the first: shifting a long array is slow. */
  let from = 0;
  const clear = (): void => {
    items = [];
    from = 0;
  };
  return {
    size: () => items.length - from,
    first: () => items[from],
    push: (item) => void items.push(item),
    shift: () => {
      const item = items[from];
      if (from >= items.length) return undefined;
      // Whoever was served is not kept: what he brought would outlive him by many others.
      items[from] = undefined;
      from += 1;
      if (from === items.length) clear();
      else if (from > 256 && from * 2 > items.length) {
        items = items.slice(from);
        from = 0;
      }
      return item;
    },
    unshift: (item) => {
      if (from === 0) items.unshift(item);
      else {
        from -= 1;
        items[from] = item;
      }
    },
    all: () => items.slice(from).filter((item) => item !== undefined),
    clear,
  };
};
