import type { CallState } from './call-state.ts';
import type { Stage } from './stages/stage.ts';

/**
 * Looks at identity and policy of streams again, each in its turn. One timer for all: ten thousand
 * sessions would have as many, which cost more than the look.
 */
export type Rechecks = {
  /** Looks at it every period until it is removed. */
  readonly add: (call: CallState) => void;
  readonly remove: (call: CallState) => void;
  /** Looks at all of them now. */
  readonly all: () => void;
};

/** Many, so that few calls are looked at in one go. */
const TURNS = 20;

export const createRechecks = (stages: readonly Stage[], periodMs: number): Rechecks => {
  const turns = Array.from({ length: TURNS }, () => new Set<CallState>());
  let at = 0;
  let count = 0;
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    at = (at + 1) % TURNS;
    for (const call of turns[at] ?? []) check(stages, call);
  };
  return {
    add: (call) => {
      call.turn = at;
      turns[at]?.add(call);
      count += 1;
      timer ??= setInterval(next, periodMs / TURNS);
    },
    remove: (call) => {
      if (call.turn === undefined || turns[call.turn]?.delete(call) !== true) return;
      count -= 1;
      if (count > 0) return;
      clearInterval(timer);
      timer = undefined;
    },
    all: () => {
      for (const turn of turns) for (const call of turn) check(stages, call);
    },
  };
};

const check = (stages: readonly Stage[], call: CallState): void => {
  if (call.isRechecking) return;
  const pending = recheck(stages, call);
  if (pending === undefined) return;
  call.isRechecking = true;
  pending
    .catch((error: unknown) => call.abort(error))
    .finally(() => {
      call.isRechecking = false;
    });
};

/** In the order of the stages. No promise where none is needed: agents are known from memory. */
const recheck = (
  stages: readonly Stage[],
  call: CallState,
  from = 0,
): undefined | Promise<undefined> => {
  try {
    for (let at = from; at < stages.length; at += 1) {
      const pending = stages[at]?.recheck?.(call);
      if (pending !== undefined) return pending.then(() => recheck(stages, call, at + 1));
    }
  } catch (error) {
    call.abort(error);
  }
  return undefined;
};
