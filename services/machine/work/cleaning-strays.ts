/**
 * What a cleaning command left behind where its guard was killed: nobody else holds it to its time.
 * Everything under a guard carries the id of its run in its environment, which nothing but the
 * command itself can take away, so it is found without a record, also by the next life of this
 * service. Only where the system shows environments, which is Linux.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';

/** The process that holds a cleaning command to its time. */
export const GUARD = join(import.meta.dirname, 'cleaning-guard.ts');
/** Set by the hook alone, so that whoever tries a command by hand is left alone. */
export const GUARDED = 'RUNM_CLEANING_GUARDED';

export type StrayOrder = {
  /** Of one run; absent: of all. */
  readonly run?: string;
  /** A child that is about to become the command looks like its guard for a moment. */
  readonly isGuardGone?: boolean;
  /** From being told to end until it is killed. */
  readonly graceMs: number;
  /** What of cleanings runs here; undefined: it cannot be told now. Absent: the system's word. */
  readonly see?: () => Promise<readonly Guarded[] | undefined>;
};

export type Guarded = { readonly pid: number; readonly run: string; readonly isGuard: boolean };

const LOOK_MS = 20;
/** What was killed is gone at once, unless nobody takes the dead away where this runs. */
const GONE_MS = 2_000;

/** Ends what no living guard holds. Never takes much longer than the grace and 2 s. */
export const endStrays = async (clock: Clock, order: StrayOrder): Promise<void> => {
  const { graceMs } = order;
  const told = new Set<number>();
  const beginMs = clock.monotonicMs();
  for (;;) {
    const pids = await straysOf(order);
    const passedMs = clock.monotonicMs() - beginMs;
    if (pids?.length === 0 || passedMs > graceMs + GONE_MS) return;
    const isLate = passedMs >= graceMs;
    for (const pid of pids ?? []) {
      if (isLate) signalAll(pid, 'SIGKILL');
      else if (!told.has(pid)) signalAll(pid, 'SIGTERM');
      told.add(pid);
    }
    await clock.sleep(LOOK_MS);
  }
};

/** The process, and its group where it leads one. */
const signalAll = (pid: number, how: NodeJS.Signals): void => {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, how);
    } catch {
      // Gone meanwhile, or no leader.
    }
  }
};

/**
 * Seen twice, as the system's list is no picture of one instant: a guard that began while it was
 * made may be missing where its command is there already. In a second list it is not.
 */
const straysOf = async (order: StrayOrder): Promise<readonly number[] | undefined> => {
  const { run, see = seeAll } = order;
  const first = await see();
  if (first === undefined) return undefined;
  const suspects = unheldOf(first, order).filter((one) => run === undefined || one.run === run);
  if (suspects.length === 0) return [];
  const second = await see();
  if (second === undefined) return undefined;
  const unheld = new Map(unheldOf(second, order).map((one) => [one.pid, one.run]));
  return suspects.filter((one) => unheld.get(one.pid) === one.run).map(({ pid }) => pid);
};

const unheldOf = (seen: readonly Guarded[], { isGuardGone }: StrayOrder): readonly Guarded[] => {
  if (isGuardGone === true) return seen;
  const held = new Set(seen.filter(({ isGuard }) => isGuard).map((one) => one.run));
  return seen.filter((one) => !held.has(one.run));
};

/** So that this never takes more than a few open files. */
const READ_AT_ONCE = 16;

const seeAll = async (): Promise<readonly Guarded[] | undefined> => {
  const names = await readdir('/proc').catch((): string[] => []);
  const pids = names.filter((name) => /^\d+$/.test(name));
  const seen: Guarded[] = [];
  try {
    for (let at = 0; at < pids.length; at += READ_AT_ONCE) {
      const some = await Promise.all(pids.slice(at, at + READ_AT_ONCE).map(look));
      seen.push(...some.filter((one) => one !== undefined));
    }
    return seen;
  } catch {
    // A guard that is there but could not be read must not be taken for one that is gone.
    return undefined;
  }
};

/** Undefined: nothing of a cleaning, gone meanwhile, or of somebody else. */
const look = async (name: string): Promise<Guarded | undefined> => {
  const entry = (await listOf(name, 'environ')).find((one) => one.startsWith(`${GUARDED}=`));
  if (entry === undefined) return undefined;
  // Also that of another installation on this host.
  const cmdline = await listOf(name, 'cmdline');
  const isGuard = cmdline.some((one) => basename(one) === basename(GUARD));
  return { pid: Number(name), run: entry.slice(GUARDED.length + 1), isGuard };
};

/** Of a process that has gone, or belongs to somebody else. */
const NOT_OURS = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

const listOf = async (name: string, file: string): Promise<readonly string[]> => {
  try {
    return (await readFile(`/proc/${name}/${file}`, 'utf8')).split('\0');
  } catch (error) {
    if (error instanceof Error && 'code' in error && NOT_OURS.has(String(error.code))) return [];
    throw error;
  }
};
