import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenChannel } from '../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import { unavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { BmcError } from '../bmc-port.ts';
import type { GuestConsole } from '../ports.ts';
import type { BmcSessions } from './bmc-sessions.ts';
import { type CaptureTail, captureTail, removeCapture } from './console-capture.ts';
import { type ControllerRef, controllerRef } from './controller-ref.ts';
import type { Controllers } from './controllers.ts';
import { failureOf } from './order-failure.ts';
import { createSerialLine, type OpenedSerial, type SerialLine } from './serial-line.ts';
import { shareable } from './shareable.ts';

/**
 * Serial consoles of servers. What one says belongs to the machine on it while there is one, else
 * to the provider, and goes with the machine: the next tenant never reads it.
 */
export type SerialConsoles = {
  /** The machine is on that server and may use its console, also to capture it. */
  readonly admit: (uid: string, ref: ControllerRef, isCaptured: boolean) => Promise<void>;
  /** It may not any more; who is attached is told why. */
  readonly expel: (uid: string, why: string) => Promise<void>;
  /** Deletes what was captured of it. */
  readonly forget: (uid: string) => Promise<void>;
  readonly open: (order: OpenChannel, signal: AbortSignal) => Promise<GuestConsole>;
  readonly readLog: (uid: string, tailBytes: number) => CaptureTail;
  /** Resolves once the text was seen on the console of that machine, whichever line it has then. */
  readonly sees: (uid: string, text: string, signal: AbortSignal) => Promise<void>;
  readonly stop: () => Promise<void>;
};

type Deps = {
  readonly directory: string;
  readonly controllers: Controllers;
  readonly sessions: BmcSessions;
  readonly clock: Clock;
  readonly log: Logger;
};

const LINES_MAX = 1_024;
const BEGIN_MS = 45_000;
/** Power and orders wait while one is opened, also where nothing answers. */
const OPEN_MS = 20_000;
const CLOSE_MS = 5_000;

export const createSerialConsoles = (deps: Deps): SerialConsoles => {
  mkdirSync(deps.directory, { recursive: true, mode: 0o700 });
  /** By the controller: each has one line. */
  const lines = new Map<string, SerialLine>();
  const admitted = new Map<string, ControllerRef>();
  /** By the owner: its line may end and be opened anew while a text is waited for. */
  const hearers = new Map<string, Set<Hearer>>();
  const ending = new Set<Promise<void>>();
  const ended = new AbortController();

  const end = async (key: string, line: SerialLine, why: string): Promise<void> => {
    if (lines.get(key) === line) lines.delete(key);
    const work = line.end(why);
    ending.add(work);
    await work.finally(() => ending.delete(work));
  };
  /** The line of that controller for that owner; another owner's ends first. */
  const lineFor = async (uid: string, ref: ControllerRef): Promise<SerialLine> => {
    const present = lines.get(ref.key);
    if (present?.uid === uid) return present;
    if (present) await end(ref.key, present, 'the server changed hands');
    if (lines.size >= LINES_MAX) throw taken();
    const line = createSerialLine({
      uid,
      captureFile: fileOf(deps.directory, uid),
      open: (signal) => openSerial(deps, ref, AbortSignal.any([signal, ended.signal])),
      heard: (bytes) => {
        for (const hear of hearers.get(uid) ?? []) hear(bytes);
      },
      idle: () => {
        if (line.isIdle() && lines.get(ref.key) === line) void end(ref.key, line, 'unused');
      },
      clock: deps.clock,
      log: deps.log,
    });
    lines.set(ref.key, line);
    return line;
  };
  return {
    admit: async (uid, ref, isCaptured) => {
      const before = admitted.get(uid);
      admitted.set(uid, ref);
      if (before && before.key !== ref.key) {
        const old = lines.get(before.key);
        if (old) await end(before.key, old, 'the address of the BMC changed');
      }
      if (isCaptured) (await lineFor(uid, ref)).keep(true);
      else lines.get(ref.key)?.keep(false);
    },
    expel: async (uid, why) => {
      const ref = admitted.get(uid);
      admitted.delete(uid);
      const line = ref && lines.get(ref.key);
      if (ref && line?.uid === uid) await end(ref.key, line, why);
    },
    forget: async (uid) => {
      await Promise.all(ending);
      removeCapture(fileOf(deps.directory, uid));
    },
    open: async (order, signal) => {
      const { uid, ref } = targetOf(order, admitted, lines);
      const { readOnly, replayBytes, by, reason } = order;
      const line = await lineFor(uid, ref);
      try {
        return await line.attach({ readOnly, replayBytes, by, reason }, signal);
      } catch (error) {
        const isTenants = order.controller === undefined;
        if (!isTenants || !(error instanceof BmcError)) throw error;
        throw noConsole(shareable(ref, failureOf(error).message));
      }
    },
    readLog: (uid, tailBytes) => captureTail(fileOf(deps.directory, uid), tailBytes),
    sees: async (uid, text, signal) => {
      if (!admitted.has(uid)) throw noConsole('its server is not here');
      const own = hearers.get(uid) ?? new Set();
      hearers.set(uid, own);
      await seesText(own, text, signal).finally(() => {
        if (own.size === 0 && hearers.get(uid) === own) hearers.delete(uid);
      });
    },
    stop: async () => {
      ended.abort();
      for (const [key, line] of [...lines]) void end(key, line, 'the agent stops');
      await Promise.allSettled(ending);
    },
  };
};

type Target = { readonly uid: string; readonly ref: ControllerRef };

/**
 * A machine's console by its assignment; an operator's by the controller that is named, where it
 * joins the line that a machine has.
 */
const targetOf = (
  { targetUid, controller, provider }: OpenChannel,
  admitted: ReadonlyMap<string, ControllerRef>,
  lines: ReadonlyMap<string, SerialLine>,
): Target => {
  if (controller !== undefined) {
    const ref = controllerRef(controller, provider);
    return { uid: lines.get(ref.key)?.uid ?? targetUid, ref };
  }
  const ref = admitted.get(targetUid);
  if (ref) return { uid: targetUid, ref };
  throw noConsole('no access to its server is given now');
};

const noConsole = (why: string) =>
  unavailable('CONSOLE_UNAVAILABLE', `There is no console: ${why}`);

const taken = () => noConsole(`this agent has ${LINES_MAX} consoles open already`);

const fileOf = (directory: string, uid: string): string =>
  join(directory, `${uid.replaceAll(/[^0-9A-Za-z-]/g, '_')}.log`);

/** A session of its own, so that power and sensors are not kept waiting by the console. */
const openSerial = (
  { controllers, sessions }: Deps,
  ref: ControllerRef,
  signal: AbortSignal,
): Promise<OpenedSerial> => {
  const limits = { beginWithinMs: BEGIN_MS, timeoutMs: OPEN_MS, isRepeatable: true };
  return controllers.run(ref, { kind: 'console', ...limits, signal }, async (access, inTime) => {
    const { driver } = await access.aspect('console');
    const bmc = await sessions.openOwn(ref, driver, inTime);
    const close = () => bmc.close(AbortSignal.timeout(CLOSE_MS));
    try {
      const offer = bmc.offers.console;
      if (offer.kind === 'not_offered') throw new BmcError('unsupported', offer.why);
      const stream = await offer.aspect.open(inTime);
      return {
        output: stream.output,
        write: stream.write,
        close: async () => {
          await stream.close().catch(() => undefined);
          await close();
        },
      };
    } catch (error) {
      await close();
      throw error;
    }
  });
};

const TEXT_KEPT = 1_024;

type Hearer = (bytes: Uint8Array) => void;

const seesText = (hearers: Set<Hearer>, text: string, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    let tail = '';
    const wanted = Buffer.from(text).toString('latin1');
    const hear: Hearer = (bytes) => {
      tail += Buffer.from(bytes).toString('latin1');
      if (tail.includes(wanted)) {
        signal.removeEventListener('abort', onAbort);
        hearers.delete(hear);
        resolve();
      }
      tail = tail.slice(-TEXT_KEPT);
    };
    const onAbort = () => {
      hearers.delete(hear);
      reject(signal.reason);
    };
    hearers.add(hear);
    signal.addEventListener('abort', onAbort, { once: true });
  });
