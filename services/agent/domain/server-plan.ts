import type { BootChoice, PowerReading } from '../bmc-port.ts';

/**
 * What to do next for one server, by comparing what is wanted with what its controller shows. Every
 * step is safe to repeat and its effect can be seen, so that an agent that died anywhere goes on
 * from what it sees: a boot of a server that runs is "off", then "on", never one "cycle" whose
 * outcome could not be told afterwards.
 */
export type WantedServer = {
  readonly power: 'on' | 'off';
  readonly bootGeneration: bigint;
  /** With power off: after how long it is forced. 'never' waits for ever, 0 forces at once. */
  readonly forceAfterMs: number | 'never';
  /** Set before each boot that is asked for; undefined = as the firmware is set up. */
  readonly boot?: BootChoice;
};

export type ServerMemory = {
  /** bootGeneration that was booted last; 0n: none. */
  readonly bootGeneration: bigint;
  /** The boot device was set for that generation; 0n: none. */
  readonly deviceGeneration: bigint;
  /** Power-on was sent for that generation; 0n: none. It is written before it is sent. */
  readonly sentGeneration: bigint;
  /** It was switched off during the last boot, and not by us. */
  readonly switchedOff: boolean;
  /** When its operating system was asked to power off, in monotonic milliseconds. */
  readonly askedAtMs?: number;
  /** It cannot be asked: the controller does not offer it, or refuses. */
  readonly cannotAsk?: boolean;
  /** Since when it has been seen off without our doing, in monotonic milliseconds. */
  readonly offSinceMs?: number;
  /** Since when its power has been changing or unknown, in monotonic milliseconds. */
  readonly unsettledSinceMs?: number;
};

export type ServerStep =
  | { readonly do: 'nothing'; readonly againAfterMs?: number }
  /** It was switched off from inside, or by hand: it stays off until the number grows. */
  | { readonly do: 'note_switched_off' }
  /** It runs although it was switched off: by hand, or by a timer of its own. */
  | { readonly do: 'note_switched_on' }
  | { readonly do: 'set_boot_device' }
  | { readonly do: 'power_on' }
  /** What was sent before has brought it on: the boot counts. */
  | { readonly do: 'note_booted' }
  /** Off for a new boot, or because it is wanted off. */
  | { readonly do: 'force_off' }
  | { readonly do: 'ask_off' };

/** A reading is believed when it holds this long: controllers flap while a server resets. */
export const OFF_BELIEVED_MS = 2_000;
const UNSETTLED_LIMIT_MS = 60_000;
const UNSETTLED_LOOK_MS = 1_000;
const ASK_AGAIN_MS = 15_000;

export const planServer = (
  wanted: WantedServer,
  seen: PowerReading,
  memory: ServerMemory & { readonly nowMs: number },
): ServerStep => {
  const power = settled(seen, memory);
  if (power === undefined) return { do: 'nothing', againAfterMs: UNSETTLED_LOOK_MS };
  if (wanted.power === 'off') return planOff(wanted, power, memory);
  if (memory.bootGeneration < wanted.bootGeneration) return planBoot(wanted, power, memory);
  if (power === 'on') return memory.switchedOff ? { do: 'note_switched_on' } : { do: 'nothing' };
  if (memory.switchedOff) return { do: 'nothing' };
  const offForMs = memory.offSinceMs === undefined ? 0 : memory.nowMs - memory.offSinceMs;
  return offForMs >= OFF_BELIEVED_MS
    ? { do: 'note_switched_off' }
    : { do: 'nothing', againAfterMs: OFF_BELIEVED_MS - offForMs };
};

/**
 * Undefined while it changes. What changes for too long counts as on, the state in which it is not
 * left alone: a controller that hangs between the two is switched off before it is used.
 */
const settled = (
  seen: PowerReading,
  { unsettledSinceMs, nowMs }: { readonly unsettledSinceMs?: number; readonly nowMs: number },
): 'on' | 'off' | undefined => {
  if (seen === 'on' || seen === 'off') return seen;
  const forMs = unsettledSinceMs === undefined ? 0 : nowMs - unsettledSinceMs;
  if (forMs < UNSETTLED_LIMIT_MS || seen === 'unknown') return undefined;
  return 'on';
};

const planBoot = (wanted: WantedServer, power: 'on' | 'off', memory: ServerMemory): ServerStep => {
  const { bootGeneration } = wanted;
  const wasSent = memory.sentGeneration >= bootGeneration;
  if (power === 'on') return { do: wasSent ? 'note_booted' : 'force_off' };
  const isDeviceSet = memory.deviceGeneration >= bootGeneration;
  if (wanted.boot !== undefined && !isDeviceSet && !wasSent) return { do: 'set_boot_device' };
  return { do: 'power_on' };
};

const planOff = (
  wanted: WantedServer,
  power: 'on' | 'off',
  memory: ServerMemory & { readonly nowMs: number },
): ServerStep => {
  if (power === 'off') return { do: 'nothing' };
  if (wanted.forceAfterMs === 0) return { do: 'force_off' };
  if (memory.cannotAsk === true) {
    return wanted.forceAfterMs === 'never' ? { do: 'nothing' } : { do: 'force_off' };
  }
  if (memory.askedAtMs === undefined) return { do: 'ask_off' };
  const askedForMs = memory.nowMs - memory.askedAtMs;
  if (wanted.forceAfterMs !== 'never') {
    if (askedForMs >= wanted.forceAfterMs) return { do: 'force_off' };
    return { do: 'nothing', againAfterMs: wanted.forceAfterMs - askedForMs };
  }
  return askedForMs >= ASK_AGAIN_MS
    ? { do: 'ask_off' }
    : { do: 'nothing', againAfterMs: ASK_AGAIN_MS - askedForMs };
};

const LOOK_MS = { min: 1_000, max: 60_000 } as const;

/**
 * After how long to read the power again: soon after something moved, then twice as long each time
 * up to a minute, with a fifth of jitter so that a fleet is not read in step.
 */
export const nextLookMs = (quietLooks: number, fraction: number): number => {
  const baseMs = Math.min(LOOK_MS.max, LOOK_MS.min * 2 ** Math.min(quietLooks, 10));
  return Math.round(baseMs * (0.8 + 0.4 * fraction));
};
