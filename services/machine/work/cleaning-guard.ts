/**
 * Runs a cleaning command and leaves nothing of it behind. It is a process of its own, so that the
 * command ends even where the service dies. Arguments: what the command may take and what it gets
 * to end once it was told to, in milliseconds; then the command. Before its time a SIGTERM ends it,
 * and the end of the pipe at LIFELINE: the service is gone, nobody would hear how it went, and a
 * server that is given back must not be cleaned by what nobody knows of.
 */
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { systemClock as clock, OVER } from '../../runtime/clock.ts';

/** As timeout(1) and shells say it. */
const [TIMED_OUT, NOT_STARTED, KILLED] = [124, 127, 128];
const LIFELINE = 3;
const LOOK_MS = 10;
/** What was killed is gone at once, unless nobody takes the dead away where this runs. */
const GONE_MS = 2_000;

const [limitMs = '0', graceMs = '0', program = '', ...args] = process.argv.slice(2);

// Before the command begins, or a SIGTERM in between would leave it alone.
process.on('SIGTERM', () => end());

// A group of its own: its end is the end of everything that it has begun.
const child = spawn(program, args, { detached: true, stdio: 'inherit' });

/** False: nothing of it is left. */
const signalAll = (how: NodeJS.Signals | 0): boolean => {
  if (child.pid === undefined) return false;
  try {
    process.kill(-child.pid, how);
    return true;
  } catch {
    return false;
  }
};

let isEnding = false;
let isLate = false;
const ended = new AbortController();
const pause = (ms: number) => clock.sleep(Math.max(0, ms), ended.signal).catch(() => undefined);

const end = async (): Promise<void> => {
  if (isEnding) return;
  isEnding = true;
  signalAll('SIGTERM');
  await pause(Number(graceMs));
  if (!ended.signal.aborted) signalAll('SIGKILL');
};

const lifeline = new Socket({ fd: LIFELINE, readable: true, writable: false });
lifeline.on('error', () => end());
lifeline.on('close', () => end());
lifeline.resume();

const code = new Promise<number>((resolve) => {
  child.once('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    resolve(NOT_STARTED);
  });
  child.once('exit', (exitCode) => resolve(exitCode ?? KILLED));
});

// Counted from the begin of this process: its start belongs to the time of the command.
pause(Number(limitMs) - clock.monotonicMs()).then(() => {
  if (ended.signal.aborted) return;
  isLate = true;
  return end();
});

const exitCode = await code;
ended.abort(OVER);
signalAll('SIGKILL');
for (let waitedMs = 0; waitedMs < GONE_MS && signalAll(0); waitedMs += LOOK_MS) {
  await clock.sleep(LOOK_MS);
}
process.exit(isLate ? TIMED_OUT : exitCode);
