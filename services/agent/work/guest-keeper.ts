import { createHash } from 'node:crypto';
import { fromBinary } from '@bufbuild/protobuf';
import {
  type Assignment,
  AssignmentSchema,
  type VirtualMachine,
} from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { Artifacts } from '../artifacts.ts';
import { type GuestMemory, planGuest } from '../domain/guest-plan.ts';
import { type GuestRecord, type Journal, NEW_GUEST } from '../journal.ts';
import { type PhoneHome, sameHash } from '../phone-home.ts';
import type { GuestDriver, GuestStatus } from '../ports.ts';
import { bootFiles, forwardSpecs, wantedGuest } from './guest-order.ts';
import type { GuestView } from './observation.ts';
import { isReadyByRecord, watchReadiness } from './readiness.ts';
import type { Reporter } from './reporter.ts';
import { createTurns } from './turns.ts';

/**
 * Brings each guest to what its assignment wants: one turn at a time per guest, woken by a new
 * assignment, by an event of the driver, by a phone-home, or by the clock. Each turn reads the
 * newest of everything and takes one step.
 */
export type GuestKeeper = {
  /** Looks at this guest soon. */
  readonly poke: (uid: string) => void;
  readonly pokeAll: () => void;
  readonly phonedHome: (tokenHash: string, report: PhoneHome) => boolean;
  /** Uids of guests on this host that no assignment wants. */
  readonly orphans: (signal: AbortSignal) => Promise<readonly string[]>;
  /**
   * Takes no more turns. With `hostStops`, the ends that follow are ours and change nothing that is
   * wanted.
   */
  readonly stop: (options: { readonly hostStops: boolean }) => Promise<void>;
};

export type KeeperDeps = {
  readonly journal: Journal;
  readonly driver: GuestDriver;
  readonly artifacts: Artifacts;
  readonly reporter: Reporter;
  readonly phoneHomeUrl: string;
  readonly emulated: boolean;
  /** Whether what is wanted is a guest's and not a server's. */
  readonly owns: (assignment: Assignment) => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

type Volatile = {
  askedAtMs?: number;
  crashes: number;
  lastCrashAtMs?: number;
  readiness?: AbortController;
  /** That it is gone was put into the journal. */
  isGoneTold?: boolean;
};

const RETRY_MS = 5_000;
const LOOK_MS = 10_000;
const GONE_LOOK_MS = 2_000;

export const createGuestKeeper = (deps: KeeperDeps): GuestKeeper => {
  const volatile = new Map<string, Volatile>();
  const memoryOf = (uid: string): Volatile => {
    const present = volatile.get(uid) ?? { crashes: 0 };
    volatile.set(uid, present);
    return present;
  };
  const turns = createTurns({
    clock: deps.clock,
    take: (uid, signal) =>
      takeTurn({ deps, uid, own: memoryOf(uid), wake: () => turns.wake(uid), signal }),
    failed: (uid, error) => {
      deps.log.error({ uid, err: error }, 'a turn of a guest failed');
      return RETRY_MS;
    },
  });
  deps.driver.onEvent((event) => {
    if (event.kind === 'kernel_started') kernelStarted(deps, event);
    turns.wake(event.uid);
  });
  return {
    poke: (uid) => turns.wake(uid),
    pokeAll: () => {
      for (const held of deps.journal.held()) turns.wake(held.uid);
    },
    phonedHome: (tokenHash, report) => {
      const uid = acceptPhoneHome(deps, tokenHash, report);
      if (uid !== undefined) turns.wake(uid);
      return uid !== undefined;
    },
    orphans: async (signal) => {
      const held = new Set(deps.journal.held().map((one) => one.uid));
      return (await deps.driver.list(signal)).filter((uid) => !held.has(uid));
    },
    stop: async ({ hostStops }) => {
      for (const one of volatile.values()) one.readiness?.abort();
      await turns.stop();
      if (!hostStops) return;
      for (const { uid } of deps.journal.held()) {
        const record = deps.journal.guest(uid);
        if (record.startedAtMs > 0) deps.journal.saveGuest(uid, { ...record, hostStopped: true });
      }
    },
  };
};

type Turn = {
  readonly deps: KeeperDeps;
  readonly uid: string;
  readonly own: Volatile;
  readonly wake: () => void;
  readonly signal: AbortSignal;
};

/** One step for one guest; answers after how many milliseconds to look again. */
const takeTurn = async (turn: Turn): Promise<number> => {
  const { deps, uid, signal } = turn;
  const held = deps.journal.held().find((one) => one.uid === uid);
  if (!held) return 0;
  const assignment = fromBinary(AssignmentSchema, held.bytes);
  if (!deps.owns(assignment)) return 0;
  if (assignment.content.case === 'absent') return removeGuest(turn, assignment);
  if (assignment.content.case !== 'virtualMachine') return 0;
  const machine = assignment.content.value;
  try {
    const status = await settleExit(turn, await deps.driver.status(uid, signal));
    const againMs = await step({ ...turn, machine, status });
    await keepReadiness(turn, machine);
    await tell(turn, assignment);
    return againMs;
  } catch (error) {
    signal.throwIfAborted();
    await tell(turn, assignment, problemOf(error));
    deps.log.warn({ uid, err: error }, 'cannot bring a guest to what is wanted; trying again');
    return RETRY_MS;
  }
};

const step = async (
  turn: Turn & { machine: VirtualMachine; status: GuestStatus },
): Promise<number> => {
  const { deps, uid, own, machine, status, signal } = turn;
  const record = deps.journal.guest(uid);
  const nowMs = deps.clock.monotonicMs();
  const memory: GuestMemory & { nowMs: number } = { ...own, ...record, nowMs };
  const plan = planGuest(wantedGuest(machine), status, memory);
  if (plan.do !== 'ask' && plan.do !== 'nothing') delete own.askedAtMs;
  switch (plan.do) {
    case 'nothing':
      if (status.power === 'off') delete own.askedAtMs;
      return Math.min(plan.againAfterMs ?? LOOK_MS, LOOK_MS);
    case 'ask':
      own.askedAtMs ??= nowMs;
      await deps.driver.askPowerOff(uid, signal);
      return 500;
    case 'kill':
      await deps.driver.kill(uid, signal);
      return 1;
    case 'pause':
      await deps.driver.pause(uid, signal);
      return 1;
    case 'resume':
      await deps.driver.resume(uid, signal);
      return 1;
    case 'reboot':
      await deps.driver.kill(uid, signal);
      return 1;
    case 'boot':
      await boot(turn);
      return LOOK_MS;
    default: {
      const never: never = plan;
      throw new TypeError(`unknown step ${JSON.stringify(never)}`);
    }
  }
};

/**
 * The record is written before the process starts: a crash between the two costs a boot number,
 * never a second boot.
 */
const boot = async (turn: Turn & { machine: VirtualMachine }): Promise<void> => {
  const { deps, uid, own, machine, signal } = turn;
  const files = await bootFiles(machine, deps.artifacts, signal);
  const before = deps.journal.guest(uid);
  const bootToken = deps.random.bytes(24).toString('base64url');
  const record: GuestRecord = {
    ...NEW_GUEST,
    bootCount: before.bootCount + 1,
    bootGeneration: machine.bootGeneration,
    tokenHash: createHash('sha256').update(bootToken).digest('hex'),
    startedAtMs: deps.clock.now().getTime(),
  };
  deps.journal.saveGuest(uid, record);
  await deps.driver.start(
    {
      uid,
      hostname: machine.hostname,
      cpus: Math.max(1, machine.cpus),
      memoryBytes: Number(machine.memoryBytes),
      diskBytes: Number(machine.diskBytes),
      boot: files,
      forwards: forwardSpecs(machine),
      bootCount: record.bootCount,
      bootToken,
      phoneHomeUrl: deps.phoneHomeUrl,
    },
    signal,
  );
  deps.reporter.happened({
    type: 'machine.powered_on',
    uid,
    message: `powered on (boot ${record.bootCount})`,
    data: { boot_count: String(record.bootCount) },
  });
  own.readiness?.abort();
  delete own.readiness;
};

/** Ready by what is known, else a watch is set for this boot; also after a restart of the agent. */
const keepReadiness = async (
  { deps, uid, own, wake, signal }: Turn,
  machine: VirtualMachine,
): Promise<void> => {
  const record = deps.journal.guest(uid);
  if (record.startedAtMs === 0 || record.readyAtMs > 0) return;
  const { power, forwards } = await deps.driver.status(uid, signal);
  if (power !== 'on') return;
  if (isReadyByRecord(machine, record)) {
    deps.journal.saveGuest(uid, { ...record, readyAtMs: deps.clock.now().getTime() });
    return;
  }
  const condition = machine.readyWhen?.condition.case;
  if (own.readiness || condition === 'phoneHome') return;
  const { bootCount } = record;
  own.readiness = watchReadiness({ deps, uid, machine, forwards, bootCount, changed: wake });
};

/** Learns why a process ended, once, and counts crashes in a row. */
const settleExit = async (turn: Turn, status: GuestStatus): Promise<GuestStatus> => {
  const { deps, uid, own } = turn;
  const record = deps.journal.guest(uid);
  if (status.power !== 'off' && record.hostStopped) {
    deps.journal.saveGuest(uid, { ...record, hostStopped: false });
  }
  if (status.power !== 'off' || !status.exit) return status;
  if (record.startedAtMs === 0 || record.bootCount !== status.bootCount) return status;
  const ended = { ...record, startedAtMs: 0, readyAtMs: 0, tokenHash: '' };
  own.readiness?.abort();
  delete own.readiness;
  switch (status.exit.kind) {
    case 'powered_off_by_guest':
      if (own.askedAtMs === undefined && !record.hostStopped) {
        deps.journal.saveGuest(uid, { ...ended, guestOff: true });
        deps.reporter.happened({
          type: 'machine.guest_off',
          uid,
          message: 'the guest powered off',
        });
        return status;
      }
      break;
    case 'reset_by_guest':
      deps.reporter.happened({ type: 'machine.guest_reset', uid, message: 'the guest rebooted' });
      break;
    case 'crashed':
      own.crashes = record.readyAtMs > 0 ? 1 : own.crashes + 1;
      own.lastCrashAtMs = deps.clock.monotonicMs();
      deps.reporter.happened({
        type: 'machine.crashed',
        uid,
        message: `its process ended by itself: ${status.exit.detail}`.slice(0, 2000),
        warning: true,
      });
      break;
    case 'stopped':
      break;
  }
  deps.journal.saveGuest(uid, ended);
  return status;
};

/** Told once that it is gone, and forgotten when the control plane has stored that. */
const removeGuest = async (turn: Turn, assignment: Assignment): Promise<number> => {
  const { deps, uid, own, signal } = turn;
  if (own.isGoneTold) {
    if (deps.reporter.isOnItsWay(uid)) return GONE_LOOK_MS;
    deps.journal.forget(uid);
    return 0;
  }
  own.readiness?.abort();
  await deps.driver.remove(uid, signal);
  deps.reporter.observe({
    uid,
    version: assignment,
    power: 'off',
    record: deps.journal.guest(uid),
    forwards: [],
    emulated: deps.emulated,
    gone: true,
  });
  own.isGoneTold = true;
  return GONE_LOOK_MS;
};

const tell = async (
  { deps, uid, signal }: Turn,
  assignment: Assignment,
  problem?: GuestView['problem'],
): Promise<void> => {
  const { power, forwards } = await deps.driver
    .status(uid, signal)
    .catch(() => ({ power: 'unknown' as const, forwards: [] }));
  deps.reporter.observe({
    uid,
    version: assignment,
    power,
    record: deps.journal.guest(uid),
    forwards,
    emulated: deps.emulated,
    gone: false,
    ...(problem ? { problem } : {}),
  });
};

const problemOf = (error: unknown): GuestView['problem'] => ({
  reason: isDomainError(error) ? error.reason : 'START_FAILED',
  message: (error instanceof Error ? error.message : String(error)).slice(0, 1000),
  retryMs: RETRY_MS,
});

const kernelStarted = (
  deps: KeeperDeps,
  event: { uid: string; bootCount: number; at: Date },
): void => {
  const record = deps.journal.guest(event.uid);
  if (record.bootCount !== event.bootCount || record.kernelAtMs > 0) return;
  deps.journal.saveGuest(event.uid, { ...record, kernelAtMs: event.at.getTime() });
  deps.reporter.happened({
    type: 'machine.kernel_started',
    uid: event.uid,
    message: `kernel started ${secondsSince(record.startedAtMs, event.at)} after power on`,
  });
};

/**
 * Finds the boot that owns the token. The same post again succeeds: the guest repeats until it
 * hears an answer.
 */
const acceptPhoneHome = (
  deps: KeeperDeps,
  tokenHash: string,
  report: PhoneHome,
): string | undefined => {
  for (const { uid } of deps.journal.held()) {
    const record = deps.journal.guest(uid);
    if (!sameHash(record.tokenHash, tokenHash)) continue;
    if (record.phoneHomeAtMs > 0) return record.bootId === report.bootId ? uid : undefined;
    const now = deps.clock.now();
    deps.journal.saveGuest(uid, { ...record, ...report, phoneHomeAtMs: now.getTime() });
    deps.reporter.happened({
      type: 'machine.phoned_home',
      uid,
      message: `phoned home ${secondsSince(record.startedAtMs, now)} after power on`,
      data: { boot_id: report.bootId, kernel_release: report.kernelRelease },
    });
    return uid;
  }
  return undefined;
};

const secondsSince = (fromMs: number, to: Date): string =>
  `${((to.getTime() - fromMs) / 1000).toFixed(1)} s`;
