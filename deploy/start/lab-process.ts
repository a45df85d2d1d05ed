/**
 * The lab beside the control plane: a process of its own, started again when it dies. Its guests
 * outlive it; they end with `npm stop`, and boot again with the next start.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../services/runtime/clock.ts';
import type { Logger } from '../../services/runtime/log.ts';
import type { LabStatus } from '../lab/control-protocol.ts';
import { isLabMessage } from '../lab/lab-message.ts';
import { NODE_FLAGS } from './node-flags.ts';
import type { StateDir } from './state-dir.ts';

export type LabProcess = {
  readonly status: LabStatus;
  readonly socket: string;
  readonly pid: () => number;
  /** Guests are asked to power off, then forced. Safe to repeat. */
  readonly stop: () => Promise<void>;
};

export type LabOutcome =
  | { readonly kind: 'runs'; readonly lab: LabProcess }
  | { readonly kind: 'refused'; readonly why: string };

export type LabProcessDeps = {
  readonly state: StateDir;
  readonly toolsDir: string;
  /** Why its servers are simulated; undefined: qemu works here. */
  readonly simulated: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
};

const READY_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 10_000;
const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 60_000;
const STABLE_MS = 60_000;

export const startLabProcess = async (deps: LabProcessDeps): Promise<LabOutcome> => {
  const { clock, log } = deps;
  let child = launch(deps);
  const ready = await readiness(child, deps).catch(async (interrupted: unknown) => {
    // Of its own it would let guests run on, as when we are killed.
    await end(child, clock);
    throw interrupted;
  });
  if (ready.kind === 'refused') {
    await end(child, clock);
    return ready;
  }
  const ended = new AbortController();
  const keep = async (): Promise<void> => {
    let pauseMs = PAUSE_MS_MIN;
    while (!ended.signal.aborted) {
      const startedMs = clock.monotonicMs();
      const how = await exitOf(child);
      if (ended.signal.aborted) return;
      log.error({ how }, 'the lab ended; starting it again');
      if (clock.monotonicMs() - startedMs > STABLE_MS) pauseMs = PAUSE_MS_MIN;
      await clock.sleep(pauseMs, ended.signal).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
      if (!ended.signal.aborted) child = launch(deps);
    }
  };
  const kept = keep();
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    ended.abort();
    stopping ??= end(child, clock).then(() => kept);
    return stopping;
  };
  const { status, socket } = ready;
  return { kind: 'runs', lab: { status, socket, pid: () => child.pid ?? 0, stop } };
};

const launch = ({ state, toolsDir, simulated }: LabProcessDeps): ChildProcess => {
  const output = openSync(state.file('lab.out'), 'a', 0o600);
  const options = {
    'state-dir': state.file('lab'),
    'sockets-dir': state.runtimeDir,
    'tools-dir': toolsDir,
    'image-dir': state.file('images/lab-linux'),
    'trial-dir': state.path,
    ...(simulated === undefined ? {} : { 'simulated-why': simulated }),
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  try {
    return spawn(
      process.execPath,
      [...NODE_FLAGS, join(import.meta.dirname, '../lab/main.ts'), ...args],
      // A session of its own: Ctrl-C in our terminal must not reach it before we stop in order.
      { detached: true, stdio: ['ignore', output, output, 'ipc'] },
    );
  } finally {
    closeSync(output);
  }
};

type Ready =
  | { readonly kind: 'ready'; readonly status: LabStatus; readonly socket: string }
  | Extract<LabOutcome, { kind: 'refused' }>;

const readiness = async (
  child: ChildProcess,
  { clock, signal, state }: LabProcessDeps,
): Promise<Ready> => {
  const told = new Promise<Ready>((resolve) => {
    child.on('message', (message) => {
      if (!isLabMessage(message)) return;
      if (message.lab === 'refused') resolve({ kind: 'refused', why: message.message });
      else resolve({ kind: 'ready', status: message.status, socket: message.socket });
    });
  });
  const refused = (what: string): Ready => ({
    kind: 'refused',
    why: `${what}; see ${state.file('lab.out')}`,
  });
  const over = new AbortController();
  const late = clock
    .sleep(READY_LIMIT_MS, AbortSignal.any([signal, over.signal]))
    .then(() => refused('it was not ready in time'));
  const gone = exitOf(child).then((how) => refused(`it ended with ${how}`));
  try {
    return await Promise.race([told, late, gone]);
  } finally {
    over.abort();
    late.catch(() => undefined);
  }
};

const isAlive = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

const exitOf = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    if (!isAlive(child)) return resolve(child.signalCode ?? `code ${child.exitCode}`);
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
    child.once('error', (error) => resolve(error.message));
    return undefined;
  });

const end = async (child: ChildProcess, clock: Clock): Promise<void> => {
  if (!isAlive(child)) return;
  child.kill('SIGTERM');
  const over = new AbortController();
  const late = clock.sleep(STOP_LIMIT_MS, over.signal).then(
    () => child.kill('SIGKILL'),
    () => false,
  );
  await exitOf(child);
  over.abort();
  await late;
};
