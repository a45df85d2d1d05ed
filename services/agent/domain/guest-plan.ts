import type { GuestExit, GuestPower } from '../ports.ts';

/**
 * What to do next for one guest, by comparing what is wanted with what is seen. Level-triggered:
 * nothing here remembers where it was. Numbers instead of booleans: a boot is wanted when
 * `bootGeneration` is larger than the one booted last, so a repeated or late message never boots
 * twice.
 */
export type WantedGuest = {
  readonly power: GuestPower;
  readonly bootGeneration: bigint;
  /**
   * With power off: after how long the guest is forced. 'never' waits for ever, 0 forces at once.
   */
  readonly forceAfterMs: number | 'never';
};

export type GuestMemory = {
  /** bootGeneration that was booted last; 0n: none. */
  readonly bootGeneration: bigint;
  /** The guest powered itself off during that boot. */
  readonly guestOff: boolean;
  /** When the guest was asked to power off, in monotonic milliseconds; absent: it was not. */
  readonly askedAtMs?: number;
  /** Crashes in a row, without a fulfilled boot between. */
  readonly crashes: number;
  readonly lastCrashAtMs?: number;
};

export type SeenGuest = { readonly power: GuestPower; readonly exit?: GuestExit };

export type GuestStep =
  | { readonly do: 'nothing'; readonly againAfterMs?: number }
  | { readonly do: 'boot' }
  | { readonly do: 'reboot' }
  | { readonly do: 'ask' }
  | { readonly do: 'kill' }
  | { readonly do: 'pause' }
  | { readonly do: 'resume' };

const ASK_AGAIN_MS = 10_000;
const CRASH_BACKOFF_MS = [0, 1_000, 5_000, 15_000, 60_000] as const;

export const planGuest = (
  wanted: WantedGuest,
  seen: SeenGuest,
  memory: GuestMemory & { readonly nowMs: number },
): GuestStep => {
  if (wanted.power === 'off') return planOff(wanted, seen, memory);
  const isNewBoot = memory.bootGeneration < wanted.bootGeneration;
  if (seen.power === 'off') {
    if (memory.guestOff && !isNewBoot) return { do: 'nothing' };
    const waitMs = isNewBoot ? 0 : crashWaitMs(memory);
    return waitMs > 0 ? { do: 'nothing', againAfterMs: waitMs } : { do: 'boot' };
  }
  if (isNewBoot) return { do: 'reboot' };
  if (wanted.power === seen.power) return { do: 'nothing' };
  return { do: wanted.power === 'paused' ? 'pause' : 'resume' };
};

const planOff = (
  wanted: WantedGuest,
  seen: SeenGuest,
  memory: GuestMemory & { readonly nowMs: number },
): GuestStep => {
  if (seen.power === 'off') return { do: 'nothing' };
  if (wanted.forceAfterMs === 0) return { do: 'kill' };
  // A halted processor answers no ACPI event.
  if (seen.power === 'paused')
    return wanted.forceAfterMs === 'never' ? { do: 'resume' } : { do: 'kill' };
  if (memory.askedAtMs === undefined) return { do: 'ask' };
  const askedForMs = memory.nowMs - memory.askedAtMs;
  if (wanted.forceAfterMs !== 'never') {
    if (askedForMs >= wanted.forceAfterMs) return { do: 'kill' };
    return { do: 'nothing', againAfterMs: wanted.forceAfterMs - askedForMs };
  }
  return askedForMs >= ASK_AGAIN_MS
    ? { do: 'ask' }
    : { do: 'nothing', againAfterMs: ASK_AGAIN_MS - askedForMs };
};

const crashWaitMs = (memory: GuestMemory & { readonly nowMs: number }): number => {
  if (memory.crashes === 0 || memory.lastCrashAtMs === undefined) return 0;
  const index = Math.min(memory.crashes, CRASH_BACKOFF_MS.length - 1);
  const backoffMs = CRASH_BACKOFF_MS[index] ?? 60_000;
  return Math.max(0, memory.lastCrashAtMs + backoffMs - memory.nowMs);
};
