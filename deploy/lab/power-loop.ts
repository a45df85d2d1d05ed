/**
 * Brings a machine to the power that is wanted: a change is written down first and done then, so
 * that one that was cut short is finished by the next process of the lab. Level-triggered: when
 * something else is wanted meanwhile, the loop turns to that.
 */
import type { Clock } from '../../services/runtime/clock.ts';
import { failedPrecondition } from '../../services/runtime/errors.ts';
import type { Random } from '../../services/runtime/random.ts';
import type { LabExit, LabLogEntry, LabMachine, LabPower, LabPowerChange } from './server-port.ts';
import { type LabServerState, type LabWanted, withLogEntry, withNextBoot } from './server-state.ts';

export type LabDelays = {
  /** From the button to on, beside what the machine itself takes. */
  readonly turnOnMs: number;
  readonly turnOffMs: number;
  /** How long a cycle leaves it off. */
  readonly cycleOffMs: number;
  /** How long an operating system may take to power off; then it is called on again. */
  readonly softOffLimitMs: number;
};

export const LAB_DELAYS: LabDelays = {
  turnOnMs: 500,
  turnOffMs: 250,
  cycleOffMs: 1_000,
  softOffLimitMs: 120_000,
};

export type PowerLoopDeps = {
  readonly name: string;
  readonly machine: LabMachine;
  readonly clock: Clock;
  readonly random: Random;
  readonly delays: LabDelays;
  readonly state: () => LabServerState;
  /** Keeps it, then tells everybody. */
  readonly replace: (state: LabServerState) => void;
  /** What the server shows changed, and nothing that is kept. */
  readonly shown: () => void;
};

export type PowerLoop = {
  readonly power: () => LabPower;
  readonly change: (change: LabPowerChange) => Promise<void>;
  /**
   * Does something that wants it off: who switches it on meanwhile has it on afterwards. Throws
   * failed_precondition SERVER_ON, and what the work throws.
   */
  readonly whileOff: (work: () => Promise<void>) => Promise<void>;
  /** From now on nothing is done, whatever is wanted. */
  readonly stop: () => void;
  /** The same; resolves when nothing is under way any more. */
  readonly close: () => Promise<void>;
};

type WantedOn = Extract<LabWanted, { power: 'on' }>;
type Happening = Omit<LabLogEntry, 'id' | 'at'>;

/** Early in its boot an operating system has nobody to hear the button. */
const PRESS_AGAIN_MS = 2_000;
/** What could not be ended is ended again and again. */
const KILL_AGAIN_MS = 2_000;
/** A machine that is lost sooner than that after its start is not started again by itself. */
const LOST_AT_ONCE_MS = 3_000;
const JITTER = 0.2;

export const createPowerLoop = (deps: PowerLoopDeps): PowerLoop => {
  const { machine, clock, delays, state, replace } = deps;
  const closed = new AbortController();
  const loop: Loop = {
    power: powerAtFirst(state()),
    turn: new AbortController(),
    startedMs: Number.NEGATIVE_INFINITY,
    done: undefined,
    isRunning: false,
  };

  const show = (power: LabPower): void => {
    if (loop.power === power) return;
    loop.power = power;
    deps.shown();
  };

  /** From here on the loop works towards something else. */
  const want = (next: LabServerState): void => {
    replace(next);
    loop.turn.abort();
    kick();
  };

  const record = (next: LabServerState, happening: Happening): LabServerState =>
    withLogEntry(next, { at: clock.now(), ...happening });

  const reached = (happening: Happening): void => {
    if (state().reached) return;
    replace({ ...record(state(), happening), reached: true });
  };

  const pause = (ms: number, signal: AbortSignal): Promise<void> => {
    const jittered = ms * (1 - JITTER + 2 * JITTER * deps.random.fraction());
    const either = AbortSignal.any([signal, closed.signal]);
    return clock.sleep(Math.round(jittered), either).catch(() => undefined);
  };

  const turnOff = async (ms: number, signal: AbortSignal): Promise<void> => {
    if (loop.power !== 'off') show('turning_off');
    await machine.kill();
    await pause(ms, signal);
  };

  const turnOn = async (target: WantedOn, signal: AbortSignal): Promise<void> => {
    if (target.by === 'cycle' && loop.power === 'on') {
      await turnOff(delays.cycleOffMs, signal);
      if (!signal.aborted) show('off');
    }
    if (signal.aborted) return;
    if (loop.power !== 'on') {
      show('turning_on');
      if (!state().reached) await pause(delays.turnOnMs, signal);
    }
    if (signal.aborted || closed.signal.aborted) return;
    await machine.start(target.boot);
    // What is told while it starts was over before.
    loop.startedMs = clock.monotonicMs();
    if (signal.aborted) return;
    show('on');
    reached({ severity: 'ok', message: ON_MESSAGE[target.by] });
  };

  const askOff = async (target: WantedOn, signal: AbortSignal): Promise<void> => {
    // After a restart of the lab nobody holds it yet.
    await machine.start(target.boot);
    if (signal.aborted) return;
    show('turning_off');
    const endMs = clock.monotonicMs() + delays.softOffLimitMs;
    while (clock.monotonicMs() < endMs) {
      await machine.askPowerOff().catch(() => undefined);
      await pause(PRESS_AGAIN_MS, signal);
      if (signal.aborted || closed.signal.aborted) return;
    }
    const message = 'The operating system did not power off when it was asked to';
    loop.power = 'on';
    want(
      record(
        { ...state(), wanted: unasked(target), reached: true },
        { severity: 'warning', message },
      ),
    );
  };

  /** False: it is to be tried again. */
  const reach = async (target: LabWanted, signal: AbortSignal): Promise<boolean> => {
    try {
      if (target.power === 'on') await (target.asked ? askOff : turnOn)(target, signal);
      else {
        await turnOff(delays.turnOffMs, signal);
        if (signal.aborted) return true;
        show('off');
        reached({ severity: 'ok', message: 'Power turned off' });
      }
    } catch (error) {
      if (signal.aborted || closed.signal.aborted) return true;
      const why = error instanceof Error ? error.message : String(error);
      const failure = { severity: 'critical', message: `Power supply failed: ${why}` } as const;
      // What may still run is not off before it was ended.
      loop.power = 'turning_off';
      if (target.power === 'on') goOff(failure);
      else {
        if (state().log.at(-1)?.message !== failure.message) replace(record(state(), failure));
        await pause(KILL_AGAIN_MS, signal);
        return false;
      }
    }
    return true;
  };

  const goOff = (happening: Happening): void => {
    want(record({ ...state(), wanted: { power: 'off' }, reached: true }, happening));
  };

  const run = async (): Promise<void> => {
    let settled: LabWanted | undefined;
    try {
      while (!closed.signal.aborted && state().wanted !== settled) {
        const { wanted } = state();
        loop.turn = new AbortController();
        if (await reach(wanted, loop.turn.signal)) settled = wanted;
      }
    } finally {
      loop.isRunning = false;
    }
  };

  const kick = (): void => {
    if (loop.isRunning || closed.signal.aborted) return;
    loop.isRunning = true;
    loop.done = run();
  };

  machine.onExit((count, how) => {
    const { wanted } = state();
    if (closed.signal.aborted || wanted.power === 'off' || wanted.boot.count !== count) return;
    const lostAtOnce =
      how === 'lost' && state().reached && clock.monotonicMs() - loop.startedMs < LOST_AT_ONCE_MS;
    // One that was asked to power off and is gone has done so, whoever saw it.
    const isOff = how === 'off' || lostAtOnce || (how === 'lost' && wanted.asked);
    if (isOff && wanted.asked && wanted.bootsAgain === true) {
      loop.power = 'off';
      want(withNextBoot(record(state(), EXITS.off), 'reset'));
    } else if (isOff) {
      loop.power = 'off';
      goOff(how === 'lost' && wanted.asked ? EXITS.off : EXITS[how]);
    } else want(withNextBoot(record(state(), EXITS[how]), 'reset'));
  });

  const change: PowerLoop['change'] = async (asked) => {
    const next = afterChange(state(), asked, deps.name);
    if (asked === 'nmi') {
      await machine.interrupt();
      replace(record(state(), { severity: 'warning', message: 'Non-maskable interrupt sent' }));
    } else if (next !== state()) want(next);
  };

  const refuseOn = (): void => {
    if (loop.power !== 'off' || state().wanted.power !== 'off') throw serverOn(deps.name);
  };

  const hold = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } finally {
      loop.isRunning = false;
      if (state().wanted.power === 'on') kick();
    }
  };

  const whileOff: PowerLoop['whileOff'] = async (work) => {
    // Shown as off while what ended by itself is cleared away, or while another works on it.
    while (loop.isRunning) {
      refuseOn();
      await loop.done;
    }
    refuseOn();
    loop.isRunning = true;
    const held = hold(work);
    loop.done = held.catch(() => undefined);
    await held;
  };

  const stop = (): void => {
    closed.abort();
    loop.turn.abort();
  };

  // A server that was never on has nothing to go on with.
  if (state().bootCount > 0) kick();
  return {
    power: () => loop.power,
    change,
    whileOff,
    stop,
    close: async () => {
      stop();
      await loop.done;
    },
  };
};

type Loop = {
  power: LabPower;
  /** Aborts when something else is wanted. */
  turn: AbortController;
  startedMs: number;
  done: Promise<void> | undefined;
  isRunning: boolean;
};

/** An end that was wanted and not seen is still to be brought about. */
const powerAtFirst = ({ wanted, reached }: LabServerState): LabPower => {
  if (wanted.power === 'on') return 'turning_on';
  return reached ? 'off' : 'turning_off';
};

const ON_MESSAGE = {
  start: 'Power turned on',
  reset: 'System reset',
  cycle: 'Power cycled',
} as const;

const EXITS: Readonly<Record<LabExit, Happening>> = {
  off: { severity: 'ok', message: 'The operating system powered off' },
  reset: { severity: 'ok', message: 'The operating system reset the system' },
  lost: { severity: 'critical', message: 'Power was lost' },
};

/** The same state where nothing is to be done. */
const afterChange = (
  state: LabServerState,
  change: LabPowerChange,
  name: string,
): LabServerState => {
  const { wanted } = state;
  if (wanted.power === 'off') {
    const needsOn = change === 'reset' || change === 'soft_reset' || change === 'nmi';
    if (needsOn) throw serverOff(name, change);
    return change === 'on' || change === 'cycle' ? withNextBoot(state, 'start') : state;
  }
  switch (change) {
    case 'on':
      return wanted.asked ? { ...state, wanted: unasked(wanted) } : state;
    case 'off':
      return { ...state, wanted: { power: 'off' }, reached: false };
    case 'soft_off':
      return wanted.asked && wanted.bootsAgain === undefined
        ? state
        : { ...state, wanted: { ...unasked(wanted), asked: true } };
    case 'soft_reset':
      return wanted.asked && wanted.bootsAgain === true
        ? state
        : { ...state, wanted: { ...wanted, asked: true, bootsAgain: true } };
    case 'reset':
    case 'cycle':
      return withNextBoot(state, change);
    case 'nmi':
      return state;
  }
};

const unasked = ({ bootsAgain: _, ...wanted }: WantedOn): WantedOn => ({
  ...wanted,
  asked: false,
});

const serverOff = (name: string, change: LabPowerChange) =>
  failedPrecondition('SERVER_OFF', `Cannot ${change} server "${name}": it is off`, {
    metadata: { name, change },
    invalidState: { state: 'off', allowed: ['on'] },
  });

const serverOn = (name: string) =>
  failedPrecondition('SERVER_ON', `Server "${name}" is on; switch it off first`, {
    metadata: { name },
    invalidState: { state: 'on', allowed: ['off'] },
  });
