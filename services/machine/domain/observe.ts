/**
 * What an agent's word changes about a machine. While an operation is in progress only the facts
 * are kept: the operation decides. Without one the state follows what is seen, so that a guest that
 * powers itself off, a host that comes back and a boot that is late after all end in the right
 * state by themselves.
 */
import { type EventDraft, event } from './event.ts';
import { type LifecycleEvent, mayFollow, next } from './lifecycle.ts';
import { isMetal, type Machine, type Observed, want } from './machine.ts';

export type Seen = {
  readonly machine: Machine;
  readonly events: readonly EventDraft[];
  /** What is wanted changed with it, so the assignment must be written anew. */
  readonly rewrite: boolean;
};

/**
 * Whether the word is older than the one that is kept: replayed after an outage, or from before a
 * restore.
 */
const isOlder = (known: Observed, seen: Observed): boolean =>
  seen.incarnation < known.incarnation ||
  (seen.incarnation === known.incarnation &&
    (seen.generation < known.generation ||
      (seen.generation === known.generation && seen.timeMs < known.timeMs)));

export const applyObservation = (machine: Machine, seen: Observed, nowMs: number): Seen => {
  const { observed } = machine;
  if (machine.state === 'gone' || (observed !== null && isOlder(observed, seen))) {
    return { machine, events: [], rewrite: false };
  }
  const informed: Machine = { ...machine, observed: seen };
  return informed.operationUid === null
    ? settle(informed, seen, nowMs)
    : { machine: informed, events: [], rewrite: false };
};

const settle = (machine: Machine, seen: Observed, nowMs: number): Seen => {
  if (seen.generation < machine.generation) return { machine, events: [], rewrite: false };
  const { power } = machine.wanted;
  if (power === 'off') return settleOff(machine, seen, nowMs);
  if (seen.guestOff && seen.bootGeneration >= machine.wanted.bootGeneration) {
    return guestPoweredOff(machine, nowMs);
  }
  if (seen.power === 'off') {
    // Nothing boots a server again by itself: whoever switched it off wanted that.
    return isMetal(machine) ? guestPoweredOff(machine, nowMs) : hostLostIt(machine, seen, nowMs);
  }
  if (seen.power === 'on' && seen.ready && power === 'on') {
    return move({ ...machine, readyMs: machine.readyMs ?? nowMs }, 'ready', {
      nowMs,
      events: [event(nowMs, { type: 'machine.active', message: 'It is active' })],
    });
  }
  if (seen.power === 'on' && power === 'on') return bootsAgain(machine, nowMs);
  return { machine, events: [], rewrite: false };
};

/** The guest rebooted, or its host came back so fast that nobody saw it off. */
const bootsAgain = (machine: Machine, nowMs: number): Seen => {
  if (machine.state !== 'active') return { machine, events: [], rewrite: false };
  const said = { type: 'machine.rebooting', message: 'It boots again' };
  return move({ ...machine, readyMs: null }, 'power_lost', {
    nowMs,
    events: [event(nowMs, said)],
  });
};

const settleOff = (machine: Machine, seen: Observed, nowMs: number): Seen =>
  seen.power === 'off'
    ? move(machine, 'powered_off', {
        nowMs,
        events: [event(nowMs, { type: 'machine.stopped', message: 'It is powered off' })],
      })
    : { machine, events: [], rewrite: false };

/** The guest's own decision is respected: it stays off until somebody starts it. */
const guestPoweredOff = (machine: Machine, nowMs: number): Seen => {
  if (!mayFollow(machine.state, 'powered_off')) return { machine, events: [], rewrite: false };
  const said = { type: 'machine.stopped', message: 'The guest powered itself off' };
  const off = want(machine, { power: 'off', forceAfterMs: null });
  const moved = move(off, 'powered_off', { nowMs, events: [event(nowMs, said)] });
  return { ...moved, rewrite: true };
};

/** The host went down under it; the agent boots it again, because it is still wanted on. */
const hostLostIt = (machine: Machine, seen: Observed, nowMs: number): Seen => {
  const problem = seen.problem ?? {
    reason: 'START_FAILED',
    message: 'It lost its power; the agent boots it again',
    sinceMs: nowMs,
    retryMs: null,
  };
  if (machine.state === 'boot_failed') return { machine, events: [], rewrite: false };
  const moved = move({ ...machine, readyMs: null }, 'power_lost', {
    nowMs,
    events: [
      event(nowMs, { type: 'machine.power_lost', severity: 'warning', message: problem.message }),
    ],
  });
  return { ...moved, machine: { ...moved.machine, problem } };
};

type Move = { readonly nowMs: number; readonly events: readonly EventDraft[] };

/** Moves along the edge where there is one; a repeated word changes and says nothing. */
const move = (machine: Machine, happened: LifecycleEvent, { nowMs, events }: Move): Seen =>
  mayFollow(machine.state, happened)
    ? {
        machine: {
          ...machine,
          state: next(machine.state, happened),
          stateMs: nowMs,
          problem: null,
        },
        events,
        rewrite: false,
      }
    : { machine, events: [], rewrite: false };

/** A machine that boots without an operation (its host came back) must be ready in time too. */
export const bootIsLate = (machine: Machine, limitMs: number, nowMs: number): Seen | undefined => {
  const boots = machine.state === 'booting' || machine.state === 'preparing';
  if (!boots || machine.operationUid !== null || nowMs < machine.stateMs + limitMs) {
    return undefined;
  }
  const message = `It was not ready within ${limitMs / 1000} s after it lost its power`;
  const failure = { reason: 'NOT_READY_IN_TIME', message, sinceMs: nowMs, retryMs: null };
  return {
    machine: {
      ...machine,
      state: next(machine.state, 'boot_failed'),
      stateMs: nowMs,
      problem: failure,
    },
    events: [event(nowMs, { type: 'machine.failed', severity: 'error', message })],
    rewrite: false,
  };
};
