/**
 * The life-cycle of a machine. README.md draws it and says a sentence per state; a test compares
 * the two. A state changes only through `next`, so that an unforeseen edge is an error and not a
 * surprise.
 */
import { internal } from '../../runtime/errors.ts';

export type MachineState =
  | 'requested'
  | 'preparing'
  | 'booting'
  | 'active'
  | 'stopping'
  | 'stopped'
  | 'paused'
  | 'releasing'
  | 'gone'
  | 'prepare_failed'
  | 'boot_failed'
  | 'release_failed';

export type LifecycleEvent =
  | 'claimed'
  | 'prepare_failed'
  | 'powered_on'
  | 'boot_failed'
  | 'ready'
  | 'start'
  | 'reset'
  | 'stop'
  | 'powered_off'
  | 'stayed_on'
  | 'power_lost'
  | 'pause'
  | 'resume'
  | 'delete'
  | 'released'
  | 'release_failed'
  | 'force_fail';

type Transitions = Record<MachineState, Partial<Record<LifecycleEvent, MachineState>>>;

export const TRANSITIONS = {
  requested: {
    claimed: 'preparing',
    prepare_failed: 'prepare_failed',
    delete: 'releasing',
    force_fail: 'prepare_failed',
  },
  preparing: {
    powered_on: 'booting',
    prepare_failed: 'prepare_failed',
    boot_failed: 'boot_failed',
    stop: 'stopping',
    delete: 'releasing',
    force_fail: 'boot_failed',
  },
  booting: {
    ready: 'active',
    boot_failed: 'boot_failed',
    powered_off: 'stopped',
    stop: 'stopping',
    reset: 'booting',
    delete: 'releasing',
    force_fail: 'boot_failed',
  },
  active: {
    powered_off: 'stopped',
    power_lost: 'booting',
    reset: 'booting',
    pause: 'paused',
    stop: 'stopping',
    delete: 'releasing',
    force_fail: 'boot_failed',
  },
  stopping: {
    powered_off: 'stopped',
    stayed_on: 'booting',
    start: 'preparing',
    stop: 'stopping',
    delete: 'releasing',
    force_fail: 'boot_failed',
  },
  stopped: { start: 'preparing', delete: 'releasing' },
  paused: {
    resume: 'active',
    reset: 'booting',
    powered_off: 'stopped',
    power_lost: 'booting',
    stop: 'stopping',
    delete: 'releasing',
    force_fail: 'boot_failed',
  },
  releasing: {
    released: 'gone',
    release_failed: 'release_failed',
    force_fail: 'release_failed',
  },
  gone: {},
  prepare_failed: { start: 'requested', delete: 'releasing' },
  boot_failed: {
    ready: 'active',
    powered_off: 'stopped',
    start: 'preparing',
    reset: 'booting',
    stop: 'stopping',
    delete: 'releasing',
  },
  release_failed: { delete: 'releasing' },
} as const satisfies Transitions;

const TABLE: Transitions = TRANSITIONS;

/** States in which a machine may stay; every other has a deadline. */
export const STABLE: ReadonlySet<MachineState> = new Set([
  'active',
  'stopped',
  'paused',
  'gone',
  'prepare_failed',
  'boot_failed',
  'release_failed',
]);

/** Where the transient states lead. */
export const TARGET: Readonly<Partial<Record<MachineState, MachineState>>> = {
  requested: 'active',
  preparing: 'active',
  booting: 'active',
  stopping: 'stopped',
  releasing: 'gone',
};

export const STATES: readonly MachineState[] = Object.keys(TABLE).filter(
  (key): key is MachineState => key in TABLE,
);

export const mayFollow = (state: MachineState, event: LifecycleEvent): boolean =>
  TABLE[state][event] !== undefined;

/** States in which the event is allowed. */
export const allowedStates = (event: LifecycleEvent): readonly MachineState[] =>
  STATES.filter((state) => mayFollow(state, event));

/**
 * The state after the event. An edge that is not drawn is a bug of the caller, who must ask
 * `mayFollow` first.
 */
export const next = (state: MachineState, event: LifecycleEvent): MachineState => {
  const target = TABLE[state][event];
  if (target === undefined) {
    throw internal('INTERNAL', `A machine that is "${state}" cannot take the event "${event}"`);
  }
  return target;
};
