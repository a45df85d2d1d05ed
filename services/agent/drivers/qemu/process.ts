/**
 * Which process is meant. A pid alone is given to another process sooner or later; together with
 * its start time and the boot of this host it is not. Nothing here signals a process whose start
 * time differs.
 */
import { readFile } from 'node:fs/promises';

export type ProcessIdentity = {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since the host booted. */
  readonly startTicks: string;
  /** /proc/sys/kernel/random/boot_id of the host. */
  readonly hostBootId: string;
};

/** Null when no such process runs. One that has ended and waits for its parent does not run. */
export const identifyProcess = async (pid: number): Promise<ProcessIdentity | null> => {
  const stat = await readOrNull(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the program's name in parentheses, which may itself hold blanks and
  // parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X' || startTicks === undefined) return null;
  return { pid, startTicks, hostBootId: await hostBootId() };
};

export const isSameProcess = (a: ProcessIdentity, b: ProcessIdentity): boolean =>
  a.pid === b.pid && a.startTicks === b.startTicks && a.hostBootId === b.hostBootId;

export const isRunning = async (identity: ProcessIdentity): Promise<boolean> => {
  const found = await identifyProcess(identity.pid);
  return found !== null && isSameProcess(found, identity);
};

/** False when that process does not run (any more); nothing is signalled then. */
export const signalProcess = async (
  identity: ProcessIdentity,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<boolean> => {
  if (!(await isRunning(identity))) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
};

/**
 * The process whose pid stands in `pidFile`, if it was started with `pidFile` among its arguments.
 */
export const identifyByPidFile = async (pidFile: string): Promise<ProcessIdentity | null> => {
  const pid = Number.parseInt((await readOrNull(pidFile)) ?? '', 10);
  if (!Number.isInteger(pid)) return null;
  const commandLine = await readOrNull(`/proc/${pid}/cmdline`);
  if (commandLine === null || !commandLine.split('\0').includes(pidFile)) return null;
  return identifyProcess(pid);
};

/** Changes when the host boots; empty where there is no /proc. */
export const hostBootId = async (): Promise<string> =>
  ((await readOrNull('/proc/sys/kernel/random/boot_id')) ?? '').trim();

const readOrNull = async (path: string): Promise<string | null> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') return null;
    throw error;
  }
};
