import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Clock } from '../../services/runtime/clock.ts';

export type ProcessSpec = {
  readonly name: string;
  readonly path: string;
  readonly args: readonly string[];
  /** Added to PATH, HOME and LANG of ours; nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly runAs?: { readonly uid: number; readonly gid: number };
  readonly cwd: string;
  /** Receives what it writes, by appending. */
  readonly logFile: string;
  /** What asks it to end; absent = SIGTERM. */
  readonly endSignal?: NodeJS.Signals;
  /** After this long it is killed. */
  readonly endLimitMs: number;
};

export type ManagedProcess = {
  readonly name: string;
  /** Of the newest start. */
  readonly pid: () => number;
  readonly isRunning: () => boolean;
  /** Sends the signal; resolves when the process has ended, for signals that end it. */
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
  /** Starts it again, whether or not it runs. */
  readonly restart: () => Promise<void>;
  /** Asks it to end, and kills it after its limit. */
  readonly stop: () => Promise<void>;
  /** Throws with the end of its log when it does not run. */
  readonly demandRunning: () => void;
};

export type Hooks = {
  readonly clock: Clock;
  /** A process was started: its pid must be remembered. */
  readonly onStart: (process: ManagedProcess) => void;
  /** It ended though nobody asked it to. */
  readonly onLost: (name: string, how: string) => void;
};

const ENDING: ReadonlySet<NodeJS.Signals> = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT']);
const LOG_END_CHARACTERS = 2_000;

export const startProcess = (spec: ProcessSpec, hooks: Hooks): ManagedProcess => {
  let child: ChildProcess;
  const ending = new WeakSet<ChildProcess>();
  const begin = (): void => {
    const started = launch(spec);
    child = started;
    started.once('exit', (code, signal) => {
      if (!ending.has(started)) hooks.onLost(spec.name, signal ?? `code ${code}`);
    });
    started.once('error', (error) => hooks.onLost(spec.name, error.message));
  };
  const stop = async (): Promise<void> => {
    if (!isAlive(child)) return;
    ending.add(child);
    const gone = exitOf(child);
    child.kill(spec.endSignal ?? 'SIGTERM');
    const limit = new AbortController();
    const late = hooks.clock.sleep(spec.endLimitMs, limit.signal).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    );
    await gone;
    limit.abort();
    await late;
  };
  begin();
  const managed: ManagedProcess = {
    name: spec.name,
    pid: () => child.pid ?? 0,
    isRunning: () => isAlive(child),
    kill: async (signal) => {
      const gone = exitOf(child);
      if (ENDING.has(signal)) ending.add(child);
      child.kill(signal);
      if (ENDING.has(signal)) await gone;
    },
    restart: async () => {
      await stop();
      begin();
      hooks.onStart(managed);
    },
    stop,
    demandRunning: () => {
      if (isAlive(child)) return;
      const how = child.signalCode ?? `code ${child.exitCode}`;
      throw new Error(`${spec.name} ended with ${how}; ${spec.logFile} says:\n${endOf(spec)}`);
    },
  };
  hooks.onStart(managed);
  return managed;
};

const launch = (spec: ProcessSpec): ChildProcess => {
  const output = openSync(spec.logFile, 'a', 0o600);
  try {
    return spawn(spec.path, spec.args, {
      cwd: spec.cwd,
      env: { ...inherited(), ...spec.env },
      ...spec.runAs,
      // A session of its own: Ctrl-C in our terminal must not reach it before we stop in order.
      detached: true,
      stdio: ['ignore', output, output],
    });
  } finally {
    closeSync(output);
  }
};

/** Other variables of ours may hold secrets, or settings that would override configurations. */
const inherited = (): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME', 'LANG', 'TMPDIR'].flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );

const isAlive = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

const exitOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (isAlive(child)) child.once('exit', () => resolve());
    else resolve();
  });

const endOf = ({ logFile }: ProcessSpec): string => {
  try {
    return readFileSync(logFile, 'utf8').slice(-LOG_END_CHARACTERS).trim();
  } catch {
    return '';
  }
};
