/**
 * Virtual machines on this host, by name. Every verb is idempotent and says what it found. All that
 * is known is on disk beside the guest, so a new driver on the same directories goes on where a
 * killed one stopped: guests outlive it. Each boot is one qemu process; a reset, asked from inside
 * or outside, ends it, and the caller starts the next.
 */
import { rm } from 'node:fs/promises';
import type { Clock } from '../../../runtime/clock.ts';
import {
  type DomainError,
  deadlineExceeded,
  failedPrecondition,
  isDomainError,
  notFound,
  unavailable,
} from '../../../runtime/errors.ts';
import type { Acceleration } from './command-line.ts';
import type { GuestConsole } from './console.ts';
import { createGuestBook, type GuestEntry, type GuestEvent } from './guest-book.ts';
import { createLauncher, removeSockets } from './guest-launch.ts';
import { type GuestExit, guestPaths, listGuestNames } from './guest-record.ts';
import { type Boot, checkGuestSpec, type GuestSpec } from './guest-spec.ts';
import type { LiveGuest, LivePower } from './live-guest.ts';
import { createPortAllocator, type PortForward, type PortRange } from './port-allocator.ts';
import { identifyByPidFile } from './process.ts';
import type { DriverLog, Program } from './program.ts';
import type { Supervisor } from './supervisor.ts';
import { createChildSupervisor, outputTail } from './supervisor-child.ts';
import { createTurns } from './turns.ts';
import { within } from './within.ts';

export type QemuDriverDeps = {
  readonly qemu: Program;
  readonly qemuImg: Program;
  /** See accelerator.ts. */
  readonly acceleration: Acceleration;
  /** One directory per guest; made when absent. */
  readonly guestsDir: string;
  /** Short: a socket's path has 90 bytes at most. Made when absent. */
  readonly socketsDir: string;
  readonly portRange: PortRange;
  readonly clock: Clock;
  readonly log: DriverLog;
  /** Children in sessions of their own when absent. */
  readonly supervisor?: Supervisor;
};

export type GuestStatus = {
  readonly name: string;
  readonly uuid: string;
  readonly specDigest: string;
  readonly bootCounter: number;
  readonly power: 'off' | LivePower;
  /** Null when off. */
  readonly pid: number | null;
  /** When the last boot began, or, when off, ended. UTC. */
  readonly since: Date;
  /** Of the last boot; null while it lasts. */
  readonly exit: GuestExit | null;
  /** When the kernel of the last boot wrote its first line; null: not yet. */
  readonly kernelLineAt: Date | null;
  readonly forwards: readonly PortForward[];
};

/** A directory that is no guest of ours, or one whose record cannot be read. It is kept. */
export type DamagedGuest = { readonly name: string; readonly problem: DomainError };

export type Desired =
  | { readonly power: 'on'; readonly boot: Boot }
  | { readonly power: 'off'; readonly gracefulMs: number };

export type QemuDriver = {
  /**
   * Starts the guest if it is off, and resolves when qemu answers. A running guest is left alone,
   * whatever its spec and boot: compare specDigest and bootCounter. Throws unavailable
   * QEMU_START_FAILED with what qemu said, DISK_CREATE_FAILED, and what checkGuestSpec and
   * port-allocator.ts throw.
   */
  readonly start: (spec: GuestSpec, boot: Boot, signal?: AbortSignal) => Promise<GuestStatus>;
  /**
   * One step to what is wanted. On: another boot than the wanted one is ended and the wanted one
   * started; a wanted boot that has already ended is not repeated (name another). Off: as stop. The
   * status tells what came of it.
   */
  readonly ensure: (
    spec: GuestSpec,
    desired: Desired,
    signal?: AbortSignal,
  ) => Promise<GuestStatus>;
  /**
   * Presses the power button and returns; never forces. Off is already so; failed_precondition when
   * paused.
   */
  readonly shutdown: (name: string, signal?: AbortSignal) => Promise<GuestStatus>;
  /** Presses the power button for `gracefulMs`, then ends the process. Off is already so. */
  readonly stop: (
    name: string,
    options: { readonly gracefulMs: number; readonly signal?: AbortSignal | undefined },
  ) => Promise<GuestStatus>;
  /** Ends the process at once. Off is already so. */
  readonly kill: (name: string, signal?: AbortSignal) => Promise<GuestStatus>;
  /** Throws failed_precondition GUEST_OFF. */
  readonly pause: (name: string, signal?: AbortSignal) => Promise<GuestStatus>;
  readonly resume: (name: string, signal?: AbortSignal) => Promise<GuestStatus>;
  /** Sends it a non-maskable interrupt. Throws failed_precondition GUEST_OFF. */
  readonly interrupt: (name: string, signal?: AbortSignal) => Promise<GuestStatus>;
  /** Null when there is no such guest. */
  readonly status: (name: string) => Promise<GuestStatus | null>;
  /**
   * Ends it and deletes its directory with all disks. From any partial state; absent is already so.
   */
  readonly remove: (name: string, signal?: AbortSignal) => Promise<void>;
  /** All guests found on disk, those that run adopted. */
  readonly list: () => Promise<{
    readonly guests: readonly GuestStatus[];
    readonly damaged: readonly DamagedGuest[];
  }>;
  readonly console: (name: string) => Promise<GuestConsole>;
  /** Called in order per guest; must not throw. Answers how to stop listening. */
  readonly onEvent: (listener: (event: GuestEvent) => void) => () => void;
  /** Ends all guests in parallel within the limit: by power button, then by force. */
  readonly stopAll: (options: { readonly limitMs: number }) => Promise<void>;
  /** Lets go of all guests; they run on. Resolves when nothing more is written to their records. */
  readonly close: () => Promise<void>;
};

const READY_LIMIT_MS = 20_000;
const ENDED_LIMIT_MS = 5_000;
const PRESS_AGAIN_MS = 2_000;
/** Kept free of stopAll's limit for ending by force. */
const FORCE_MS = 1_500;

export const createQemuDriver = (deps: QemuDriverDeps): QemuDriver => {
  const { clock, log } = deps;
  const supervisor = deps.supervisor ?? createChildSupervisor();
  const ports = createPortAllocator(deps.portRange);
  const turns = createTurns();
  const listeners = new Set<(event: GuestEvent) => void>();
  const book = createGuestBook({
    ...{ guestsDir: deps.guestsDir, socketsDir: deps.socketsDir },
    ...{ supervisor, ports, turns, clock, log },
    onEvent: (event) => {
      log.info({ guest: event.name, boot: event.bootCounter, event: event.kind }, 'guest event');
      for (const listener of listeners) listener(event);
    },
  });

  const launch = createLauncher({ ...deps, supervisor, ports, book });

  const require = async (name: string): Promise<GuestEntry> => {
    const entry = await book.find(name);
    if (entry !== null) return entry;
    throw notFound('GUEST_NOT_FOUND', `No guest "${name}" on this host`, { metadata: { name } });
  };

  const requireLive = async (name: string): Promise<[GuestEntry, LiveGuest]> => {
    const entry = await require(name);
    if (entry.live !== null) return [entry, entry.live];
    throw failedPrecondition('GUEST_OFF', `Guest "${name}" is off`, {
      metadata: { name },
      invalidState: { state: 'off', allowed: ['running', 'paused'] },
    });
  };

  const start: QemuDriver['start'] = async (spec, boot, signal) => {
    checkGuestSpec(spec);
    const entry = await turns.take(spec.name, () => launch(spec, boot, signal));
    const { live } = entry;
    if (live === null) return statusOf(entry);
    const expired = () =>
      deadlineExceeded('GUEST_NOT_READY', `qemu of "${spec.name}" does not answer yet`);
    const limit = { clock, limitMs: READY_LIMIT_MS, signal, expired };
    if (await within(limit, () => live.ready)) return statusOf(entry);
    await entry.finished;
    throw unavailable(
      'QEMU_START_FAILED',
      `Cannot start guest "${spec.name}": ${await outputTail(entry.paths.output)}`,
      { metadata: { name: spec.name } },
    );
  };

  /** Resolves when the end stands in the record; throws deadline_exceeded GUEST_NOT_ENDED. */
  const waitForEnd = (entry: GuestEntry, limitMs: number, signal?: AbortSignal): Promise<void> =>
    within(
      {
        ...{ clock, limitMs, signal },
        expired: () =>
          deadlineExceeded('GUEST_NOT_ENDED', `Guest "${entry.name}" still runs`, {
            metadata: { name: entry.name, limitMs: String(limitMs) },
          }),
      },
      () => entry.finished,
    );

  const force = async (entry: GuestEntry, signal?: AbortSignal): Promise<GuestStatus> => {
    await entry.live?.kill();
    await waitForEnd(entry, ENDED_LIMIT_MS, signal);
    return statusOf(entry);
  };

  const stop: QemuDriver['stop'] = async (name, { gracefulMs, signal }) => {
    const entry = await require(name);
    const deadlineMs = clock.monotonicMs() + gracefulMs;
    if (entry.live?.power() === 'paused') await entry.live.execute('cont', { signal });
    for (;;) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (entry.live === null) return statusOf(entry);
      if (leftMs <= 0) return force(entry, signal);
      // Pressed again and again: early in its boot a guest has nobody to hear it.
      await entry.live.pressPower(signal).catch((error: unknown) => {
        log.debug({ guest: name, err: error }, 'power button not pressed');
      });
      try {
        await waitForEnd(entry, Math.min(PRESS_AGAIN_MS, leftMs), signal);
      } catch (error) {
        if (!isDomainError(error, 'deadline_exceeded', 'GUEST_NOT_ENDED')) throw error;
      }
    }
  };

  const remove: QemuDriver['remove'] = async (name, signal) => {
    const paths = guestPaths(deps.guestsDir, deps.socketsDir, name);
    const entry = await book.find(name).catch((error: unknown) => {
      if (isDomainError(error, 'invalid_argument', 'GUEST_RECORD_DAMAGED')) return null;
      throw error;
    });
    if (entry !== null) await force(entry, signal);
    await turns.take(name, async () => {
      // A start may have come in between; and a damaged record hides a process.
      if (entry?.live) throw unavailable('GUEST_BUSY', `Guest "${name}" was started meanwhile`);
      const hidden = await identifyByPidFile(paths.pidFile);
      if (hidden !== null) await supervisor.kill(hidden);
      if (entry !== null) book.forget(entry);
      await removeSockets(paths);
      await rm(paths.directory, { recursive: true, force: true });
    });
  };

  const list: QemuDriver['list'] = async () => {
    const guests: GuestStatus[] = [];
    const damaged: DamagedGuest[] = [];
    for (const name of await listGuestNames(deps.guestsDir)) {
      try {
        const entry = await book.find(name);
        if (entry !== null) guests.push(statusOf(entry));
        else damaged.push({ name, problem: notFound('GUEST_RECORD_MISSING', 'No record') });
      } catch (error) {
        if (!isDomainError(error)) throw error;
        damaged.push({ name, problem: error });
      }
    }
    return { guests, damaged };
  };

  const power = async (
    name: string,
    command: 'stop' | 'cont' | 'inject-nmi',
    signal?: AbortSignal,
  ): Promise<GuestStatus> => {
    const [entry, live] = await requireLive(name);
    await live.execute(command, { signal });
    return statusOf(entry);
  };

  return {
    start,
    ensure: async (spec, desired, signal) => {
      const entry = await book.find(spec.name);
      if (desired.power === 'off') {
        return stop(spec.name, { gracefulMs: desired.gracefulMs, signal });
      }
      if (entry !== null && entry.record.bootCounter !== desired.boot.counter) {
        await force(entry, signal);
      } else if (entry !== null && entry.record.exit !== null && hasRun(entry.record.exit)) {
        return statusOf(entry);
      }
      return start(spec, desired.boot, signal);
    },
    shutdown: async (name, signal) => {
      const entry = await require(name);
      if (entry.live?.power() === 'paused') {
        throw failedPrecondition('GUEST_PAUSED', `Cannot shut down guest "${name}": it is paused`, {
          metadata: { name },
          invalidState: { state: 'paused', allowed: ['running'] },
        });
      }
      await entry.live?.pressPower(signal);
      return statusOf(entry);
    },
    stop,
    kill: async (name, signal) => force(await require(name), signal),
    pause: (name, signal) => power(name, 'stop', signal),
    resume: (name, signal) => power(name, 'cont', signal),
    interrupt: (name, signal) => power(name, 'inject-nmi', signal),
    status: async (name) => {
      const entry = await book.find(name);
      return entry === null ? null : statusOf(entry);
    },
    remove,
    list,
    console: async (name) => (await require(name)).console,
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stopAll: async ({ limitMs }) => {
      const { guests } = await list();
      const running = guests.filter((guest) => guest.power !== 'off');
      const gracefulMs = Math.max(0, limitMs - FORCE_MS);
      await Promise.all(running.map(({ name }) => stop(name, { gracefulMs })));
    },
    close: async () => {
      for (const entry of book.loaded()) entry.live?.letGo();
      await turns.idle();
    },
  };
};

const statusOf = ({ record, live }: GuestEntry): GuestStatus => ({
  name: record.spec.name,
  uuid: record.spec.uuid,
  specDigest: record.specDigest,
  bootCounter: record.bootCounter,
  power: live?.power() ?? 'off',
  pid: live?.identity.pid ?? null,
  since: new Date(record.exit?.at ?? record.launchedAt),
  exit: record.exit,
  kernelLineAt: record.kernelLineAt === null ? null : new Date(record.kernelLineAt),
  forwards: record.forwards,
});

/** False for a boot that never got as far as using its token, which may be tried again. */
const hasRun = (exit: GuestExit): boolean => exit.kind !== 'not_started';
