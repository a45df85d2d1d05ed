import { fromBinary } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import {
  type Absent,
  type Assignment,
  AssignmentSchema,
  type Server,
  WantedPower,
} from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { Controller } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import { bootChoice } from '../bmc/answer-message.ts';
import {
  type ControllerRef,
  controllerOfText,
  controllerRef,
  controllerText,
} from '../bmc/controller-ref.ts';
import { failureOf, type OrderFailure } from '../bmc/order-failure.ts';
import { shareable } from '../bmc/shareable.ts';
import { NEW_SERVER, type ServerRecord } from '../bmc-journal.ts';
import type { PowerReading } from '../bmc-port.ts';
import { compareVersions } from '../domain/assignment-order.ts';
import { nextLookMs, planServer, type WantedServer } from '../domain/server-plan.ts';
import type { GuestView } from './observation.ts';
import { endWatch, takeStep } from './server-step.ts';
import {
  newServerMemory,
  type ServerKeeperDeps,
  type ServerMemoryNow,
  type ServerTurn,
} from './server-turn.ts';
import { createTurns } from './turns.ts';

/**
 * Brings each server to what its assignment wants: one turn at a time per server, each reads the
 * power, takes one step and tells what is seen. While the agent is cut off it only looks: another
 * agent of the pool may have the server by now.
 */
export type ServerKeeper = {
  /** Looks at this server soon. */
  readonly poke: (uid: string) => void;
  readonly pokeAll: () => void;
  /**
   * Servers that nobody wants here are left as they are and forgotten: they may have other machines
   * by now. Of what is no server nothing is done.
   */
  readonly letGo: (uids: readonly string[]) => void;
  readonly stop: () => Promise<void>;
};

const GONE_LOOK_MS = 2_000;
const READ_MS = 20_000;
const BEGIN_MS = 120_000;
const RETRY_MS = { min: 5_000, max: 300_000 } as const;

export const createServerKeeper = (deps: ServerKeeperDeps): ServerKeeper => {
  const volatile = new Map<string, ServerMemoryNow>();
  const memoryOf = (uid: string): ServerMemoryNow => {
    const present = volatile.get(uid) ?? newServerMemory();
    volatile.set(uid, present);
    return present;
  };
  const turns = createTurns({
    clock: deps.clock,
    take: async (uid, signal) => {
      const wake = () => turns.wake(uid);
      const againMs = await takeTurn({ deps, uid, own: memoryOf(uid), wake, signal });
      if (againMs === 0) volatile.delete(uid);
      return againMs;
    },
    failed: (uid, error) => {
      deps.log.error({ uid, err: error }, 'a turn of a server failed');
      return RETRY_MS.min;
    },
  });
  return {
    poke: (uid) => {
      const own = memoryOf(uid);
      own.quietLooks = 0;
      own.isOrphan = false;
      turns.wake(uid);
    },
    pokeAll: () => {
      for (const held of deps.journal.held()) {
        if (deps.owns(fromBinary(AssignmentSchema, held.bytes))) turns.wake(held.uid);
      }
    },
    letGo: (uids) => {
      for (const uid of uids) {
        const held = deps.journal.find(uid);
        if (!held || !deps.owns(fromBinary(AssignmentSchema, held.bytes))) continue;
        memoryOf(uid).isOrphan = true;
        turns.wake(uid);
      }
    },
    stop: async () => {
      for (const one of volatile.values()) one.readiness?.abort();
      await turns.stop();
    },
  };
};

/** One step for one server; answers after how many milliseconds to look again. */
const takeTurn = async (turn: ServerTurn): Promise<number> => {
  const { deps, uid, own } = turn;
  const held = deps.journal.find(uid);
  if (!held) return 0;
  const assignment = fromBinary(AssignmentSchema, held.bytes);
  if (!deps.owns(assignment)) return 0;
  if (own.isOrphan) {
    await leave(turn, assignment, 'nobody wants anything of the server here');
    return 0;
  }
  switch (assignment.content.case) {
    case 'server':
      return keep(turn, assignment, assignment.content.value);
    case 'absent':
      return remove(turn, assignment, assignment.content.value);
    case 'moved':
      await leave(turn, assignment, 'another agent has the server now');
      return 0;
    default:
      return 0;
  }
};

const keep = async (turn: ServerTurn, assignment: Assignment, server: Server): Promise<number> => {
  const { deps, uid, own, signal } = turn;
  let power: PowerReading = 'unknown';
  try {
    const record = remember(turn, server);
    const ref = controllerRef(server.controller, server.provider);
    await giveAccess(turn, server, ref);
    power = await readPower(turn, ref);
    const moved = note(turn, record, power);
    const step = planServer(wantedServer(server), power, {
      ...record,
      ...own,
      nowMs: deps.clock.monotonicMs(),
    });
    const isHeldBack = step.do !== 'nothing' && !mayChange(turn, assignment);
    if (!isHeldBack) power = await takeStep({ ...turn, server, ref, power }, step);
    own.failures = 0;
    tell(turn, assignment, { power, ...notWatched(server) });
    if (step.do !== 'nothing' && !isHeldBack) return 1;
    own.quietLooks = moved ? 0 : own.quietLooks + 1;
    const lookMs = nextLookMs(own.quietLooks, deps.random.fraction());
    return Math.min(step.do === 'nothing' ? (step.againAfterMs ?? lookMs) : lookMs, lookMs);
  } catch (error) {
    signal.throwIfAborted();
    own.failures += 1;
    const retryMs = retryAfterMs(own.failures, deps.random.fraction());
    const failure = failureAt(server.controller, error);
    tell(turn, assignment, { power: own.lastPower, problem: { ...failure, retryMs } });
    deps.log.info({ uid, reason: failure.reason }, 'cannot bring a server to what is wanted');
    return retryMs;
  }
};

/** Not when something else was told while the controller was read. */
const mayChange = (turn: ServerTurn, assignment: Assignment): boolean =>
  isStillHeld(turn, assignment) && turn.own.isOrphan !== true && turn.deps.isOnline();

const isStillHeld = ({ deps, uid }: ServerTurn, assignment: Assignment): boolean => {
  const held = deps.journal.find(uid);
  return held !== undefined && compareVersions(held, assignment) === 0;
};

/** It goes to the machine's tenant. */
const failureAt = (controller: Controller | undefined, error: unknown): OrderFailure => {
  const { reason, message } = failureOf(error);
  return { reason, message: controller ? shareable(controller, message) : message };
};

const retryAfterMs = (failures: number, fraction: number): number =>
  Math.round(
    Math.min(RETRY_MS.max, RETRY_MS.min * 2 ** Math.min(failures - 1, 10)) * (0.8 + 0.4 * fraction),
  );

/** What this agent knows of a server that it sees for the first time is what was told of it. */
const remember = ({ deps, uid }: ServerTurn, server: Server): ServerRecord => {
  const { bmc } = deps.journal;
  const known = bmc.server(uid);
  const controller = server.controller ? controllerText(server.controller) : '';
  const { provider, bootedGeneration } = server;
  const record: ServerRecord = {
    ...(known ?? {
      ...NEW_SERVER,
      bootGeneration: bootedGeneration,
      deviceGeneration: bootedGeneration,
      sentGeneration: bootedGeneration,
    }),
    isGone: false,
    controller,
    provider,
  };
  const isKnown =
    known?.controller === controller && known.provider === provider && known.isGone !== true;
  if (!isKnown) bmc.saveServer(uid, record);
  return record;
};

const giveAccess = async (
  { deps, uid }: ServerTurn,
  server: Server,
  ref: ControllerRef,
): Promise<void> => {
  if (!server.access) {
    await deps.consoles.expel(uid, 'the access to this server ended');
    return;
  }
  await deps.consoles.admit(uid, ref, server.power === WantedPower.ON);
};

const readPower = ({ deps, signal }: ServerTurn, ref: ControllerRef): Promise<PowerReading> => {
  const limits = { beginWithinMs: BEGIN_MS, timeoutMs: READ_MS, isRepeatable: true };
  return deps.controllers.run(ref, { kind: 'read_power', ...limits, signal }, async (access, to) =>
    (await access.aspect('power')).verbs.read(to),
  );
};

/** Since when it is as it is; answers whether it is another than before. */
const note = ({ deps, own }: ServerTurn, record: ServerRecord, power: PowerReading): boolean => {
  const nowMs = deps.clock.monotonicMs();
  const isSettled = power === 'on' || power === 'off';
  if (isSettled) delete own.unsettledSinceMs;
  else own.unsettledSinceMs ??= nowMs;
  if (power !== 'off' || record.switchedOff) delete own.offSinceMs;
  else own.offSinceMs ??= nowMs;
  if (power === 'off') {
    delete own.askedAtMs;
    delete own.cannotAsk;
  }
  const isNew = power !== own.lastPower;
  own.lastPower = power;
  return isNew;
};

const wantedServer = (server: Server): WantedServer => {
  const { power, bootGeneration, forceAfter, bootDevice } = server;
  if (power !== WantedPower.ON && power !== WantedPower.OFF) {
    throw invalidArgument('INVALID_FIELD', `power: ${power} is not for a server`);
  }
  return {
    power: power === WantedPower.ON ? 'on' : 'off',
    bootGeneration,
    forceAfterMs: forceAfter === undefined ? 'never' : durationMs(forceAfter),
    ...(bootDevice === undefined ? {} : { boot: bootChoice(bootDevice) }),
  };
};

/** Conditions that nothing here can see on a server whose system is not ours. */
const notWatched = ({ readyWhen }: Server): { readonly problem?: GuestView['problem'] } => {
  const condition = readyWhen?.condition.case;
  if (condition !== 'phoneHome' && condition !== 'tcpPort') return {};
  const name = condition === 'tcpPort' ? 'tcp_port' : 'phone_home';
  const message =
    `ready_when.${name} cannot be watched on a server yet; ` +
    'use "running", or "console_text" with what its console shows';
  return { problem: { reason: 'NOT_SUPPORTED', message, retryMs: RETRY_MS.max } };
};

const tell = (
  { deps, uid }: ServerTurn,
  version: Assignment,
  { power, problem }: { readonly power: PowerReading; readonly problem?: GuestView['problem'] },
): void => {
  const record = deps.journal.bmc.server(uid) ?? NEW_SERVER;
  deps.reporter.observe({
    ...viewOf(uid, version, record),
    power: power === 'on' || power === 'off' ? power : 'unknown',
    ...(problem ? { problem } : {}),
  });
};

const viewOf = (uid: string, version: Assignment, record: ServerRecord): GuestView => ({
  uid,
  version,
  power: 'unknown',
  record: {
    bootCount: record.bootCount,
    bootGeneration: record.bootGeneration,
    guestOff: record.switchedOff,
    startedAtMs: record.startedAtMs,
    readyAtMs: record.readyAtMs,
    hostStopped: false,
    tokenHash: '',
    kernelAtMs: 0,
    phoneHomeAtMs: 0,
    bootId: '',
    kernelRelease: '',
    hostname: '',
  },
  forwards: [],
  emulated: false,
  gone: false,
});

/** Off, told once that it is gone, and forgotten when the control plane has stored that. */
const remove = async (
  turn: ServerTurn,
  assignment: Assignment,
  absent: Absent,
): Promise<number> => {
  const { deps, uid, own, signal } = turn;
  if (own.isGoneTold) {
    if (deps.reporter.isOnItsWay(uid)) return GONE_LOOK_MS;
    await leave(turn, assignment, 'the machine is gone');
    return 0;
  }
  await deps.consoles.expel(uid, 'the machine is gone');
  const record = deps.journal.bmc.server(uid) ?? NEW_SERVER;
  const controller = absent.controller ?? controllerIn(record);
  try {
    const provider = absent.provider || record.provider;
    const isLeft = () => record.isGone === true || hasNext(turn, provider);
    if (controller && !isLeft()) {
      const ref = controllerRef(controller, provider);
      const power = await readPower(turn, ref);
      note(turn, record, power);
      const isOn = power !== 'off' && !isLeft();
      if (isOn) return await switchOff(turn, assignment, { ref, power });
    }
  } catch (error) {
    signal.throwIfAborted();
    own.failures += 1;
    const retryMs = retryAfterMs(own.failures, deps.random.fraction());
    tell(turn, assignment, {
      power: own.lastPower,
      problem: { ...failureAt(controller, error), retryMs },
    });
    return retryMs;
  }
  // Before it is told: an agent that died after that must not switch off what came next.
  deps.journal.bmc.saveServer(uid, { ...record, isGone: true });
  deps.reporter.observe({ ...viewOf(uid, assignment, record), power: 'off', gone: true });
  own.isGoneTold = true;
  return GONE_LOOK_MS;
};

/**
 * A machine that came after this one has the server by now: it was cleaned in between without us,
 * as its controller was away, and is no longer this one's to switch off.
 */
const hasNext = ({ deps, uid }: ServerTurn, provider: string): boolean =>
  deps.journal.held().some((held) => {
    if (held.uid === uid) return false;
    const { content } = fromBinary(AssignmentSchema, held.bytes);
    return content.case === 'server' && content.value.provider === provider;
  });

const controllerIn = ({ controller }: ServerRecord): Controller | undefined =>
  controller === '' ? undefined : controllerOfText(controller);

type Reached = { readonly ref: ControllerRef; readonly power: PowerReading };

const switchOff = async (
  turn: ServerTurn,
  assignment: Assignment,
  { ref, power }: Reached,
): Promise<number> => {
  if (!mayChange(turn, assignment) || power === 'turning_off') return GONE_LOOK_MS;
  await takeStep({ ...turn, ref, power }, { do: 'force_off' });
  return 1;
};

/** Forgets it, and what its console said; not what was told of it meanwhile. */
const leave = async (turn: ServerTurn, assignment: Assignment, why: string): Promise<void> => {
  const { deps, uid, own } = turn;
  endWatch({ own });
  await deps.consoles.expel(uid, why);
  await deps.consoles.forget(uid);
  if (!isStillHeld(turn, assignment)) return;
  deps.journal.bmc.forgetServer(uid);
  deps.journal.forget(uid);
};
