/**
 * One running qemu process as we see it: holds its QMP connection and its console, dials again when
 * they break while the process lives, and works out why the boot ended when it does not. Whether we
 * started the process or found it makes no difference.
 */
import type { Clock } from '../../../runtime/clock.ts';
import { type DomainError, unavailable } from '../../../runtime/errors.ts';
import type { OwnedConsole } from './console.ts';
import type { GuestExit } from './guest-record.ts';
import type { ProcessIdentity } from './process.ts';
import type { DriverLog } from './program.ts';
import { connectQmp, type QmpClient, type QmpExecuteOptions } from './qmp.ts';
import { asRecord, type QmpEvent } from './qmp-codec.ts';
import type { Supervisor } from './supervisor.ts';
import { outputTail } from './supervisor-child.ts';

export type LivePower = 'starting' | 'running' | 'paused' | 'stopping';

export type LiveGuest = {
  readonly identity: ProcessIdentity;
  /**
   * Resolves when qemu answered for the first time; false when the process ended before, or was let
   * go.
   */
  readonly ready: Promise<boolean>;
  /** Null when the guest was let go before it ended. */
  readonly ended: Promise<GuestExit | null>;
  readonly power: () => LivePower;
  /**
   * Throws unavailable GUEST_NOT_ANSWERING without a connection, else what QmpClient.execute
   * throws.
   */
  readonly execute: (command: string, options?: QmpExecuteOptions) => Promise<unknown>;
  /** Presses the power button. The guest may ignore it. */
  readonly pressPower: (signal?: AbortSignal) => Promise<void>;
  /** Ends the process: asks qemu first, so that its disks are left in order, then by signal. */
  readonly kill: () => Promise<void>;
  /** Closes our connections; the guest runs on. */
  readonly letGo: () => void;
};

export type LiveGuestDeps = {
  readonly name: string;
  readonly uuid: string;
  readonly qmpSocket: string;
  readonly outputPath: string;
  readonly identity: ProcessIdentity;
  /** From the supervisor; null for a process we did not start. */
  readonly exited: Promise<string> | null;
  /** It ran before we looked. */
  readonly adopted: boolean;
  readonly supervisor: Supervisor;
  readonly console: OwnedConsole;
  readonly clock: Clock;
  readonly log: DriverLog;
  /**
   * Called once, when qemu answered for the first time and before anything the guest wrote is told.
   */
  readonly onAnswered: () => void;
};

const DIAL_LIMIT_MS = 2_000;
const PAUSE_MS_MIN = 5;
const PAUSE_MS_MAX = 1_000;
const QUIT_LIMIT_MS = 1_000;
const DRAIN_LIMIT_MS = 500;
/** A guest that ignored its power button this long is called running again. */
const STOPPING_MS_MAX = 120_000;

export const watchGuest = (deps: LiveGuestDeps): LiveGuest => {
  const { clock, log, name } = deps;
  const released = new AbortController();
  const ready = Promise.withResolvers<boolean>();
  let client: QmpClient | null = null;
  let answered = false;
  let isReady = false;
  let paused = false;
  let pressedAtMs: number | null = null;
  let killing = false;
  let shutdownReason: string | null = null;

  const onEvent = (event: QmpEvent): void => {
    log.debug({ guest: name, event: event.name, data: event.data }, 'qemu event');
    if (event.name === 'STOP') paused = true;
    if (event.name === 'RESUME') paused = false;
    if (event.name === 'SHUTDOWN') shutdownReason = String(event.data.reason);
    if (event.name === 'GUEST_PANICKED') shutdownReason = 'guest-panic';
  };

  const dial = async (): Promise<QmpClient | null> => {
    try {
      const options = { path: deps.qmpSocket, clock, limitMs: DIAL_LIMIT_MS, onEvent };
      return await connectQmp({ ...options, signal: released.signal });
    } catch {
      // Not there yet, gone, or still talking to our predecessor: the loop looks which.
      return null;
    }
  };

  const meet = async (qmp: QmpClient): Promise<void> => {
    const { UUID: uuid } = asRecord(await qmp.execute('query-uuid'));
    if (uuid !== deps.uuid) throw strangerAnswers(name, String(uuid));
    paused = asRecord(await qmp.execute('query-status')).status === 'paused';
    if (!answered) deps.onAnswered();
    answered = true;
    client = qmp;
    await deps.console.attach(released.signal);
    isReady = true;
    ready.resolve(true);
  };

  const connectWhileAlive = async (): Promise<void> => {
    let pauseMs = PAUSE_MS_MIN;
    while (!released.signal.aborted) {
      const qmp = await dial();
      if (qmp !== null) {
        try {
          await meet(qmp);
          pauseMs = PAUSE_MS_MIN;
          await qmp.closed;
        } catch (error) {
          log.warn({ guest: name, err: error }, 'qemu connection failed');
        } finally {
          client = null;
          qmp.close();
        }
      }
      if (!(await deps.supervisor.isRunning(deps.identity))) return;
      await clock.sleep(pauseMs, released.signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
    }
  };

  const watch = async (): Promise<GuestExit | null> => {
    await connectWhileAlive();
    if (released.signal.aborted) return null;
    await Promise.race([deps.console.drained(), clock.sleep(DRAIN_LIMIT_MS)]);
    deps.console.detach();
    const how = deps.exited === null ? null : await deps.exited;
    return {
      ...exitFrom({ shutdownReason, killing, answered, adopted: deps.adopted }),
      detail: [shutdownReason, how, await outputTail(deps.outputPath)].filter(Boolean).join(': '),
      at: clock.now().toISOString(),
    };
  };

  const execute: LiveGuest['execute'] = async (command, options) => {
    if (client === null) throw notAnswering(name);
    return client.execute(command, options);
  };

  const isStopping = () =>
    pressedAtMs !== null && clock.monotonicMs() - pressedAtMs < STOPPING_MS_MAX;

  const ended = watch();
  // Whoever waits for readiness must not wait for ever.
  void ended.then(() => ready.resolve(false));

  return {
    identity: deps.identity,
    ready: ready.promise,
    ended,
    power: () => {
      if (killing) return 'stopping';
      if (!isReady) return 'starting';
      if (paused) return 'paused';
      return isStopping() ? 'stopping' : 'running';
    },
    execute,
    pressPower: async (signal) => {
      await execute('system_powerdown', { signal });
      pressedAtMs = clock.monotonicMs();
    },
    kill: async () => {
      killing = true;
      try {
        await execute('quit', { limitMs: QUIT_LIMIT_MS });
        const gone = await Promise.race([
          ended.then(() => true),
          clock.sleep(QUIT_LIMIT_MS).then(() => false),
        ]);
        if (gone) return;
      } catch {
        // The signal does not need qemu's help.
      }
      await deps.supervisor.kill(deps.identity);
    },
    letGo: () => {
      released.abort();
      client?.close();
      deps.console.detach();
    },
  };
};

type ExitEvidence = {
  readonly shutdownReason: string | null;
  readonly killing: boolean;
  readonly answered: boolean;
  readonly adopted: boolean;
};

// https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html#enum-QMP-run-state.ShutdownCause
const exitFrom = (evidence: ExitEvidence): { readonly kind: GuestExit['kind'] } => {
  const { shutdownReason, killing, answered, adopted } = evidence;
  if (killing) return { kind: 'stopped' };
  if (shutdownReason === 'guest-shutdown') return { kind: 'powered_down' };
  if (shutdownReason === 'guest-reset') return { kind: 'guest_reset' };
  if (shutdownReason === 'host-signal' || shutdownReason === 'host-qmp-quit') {
    return { kind: 'stopped' };
  }
  if (answered) return { kind: 'crashed' };
  return { kind: adopted ? 'unwatched' : 'not_started' };
};

const notAnswering = (name: string): DomainError =>
  unavailable('GUEST_NOT_ANSWERING', `Guest "${name}" has no connection to its qemu now`, {
    metadata: { name },
  });

const strangerAnswers = (name: string, uuid: string): DomainError =>
  unavailable('GUEST_NOT_ANSWERING', `Another guest answers for "${name}": uuid ${uuid}`, {
    metadata: { name, uuid },
  });
