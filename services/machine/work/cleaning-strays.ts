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
};

const LOOK_MS = 20;
/** What was killed is gone at once, unless nobody takes the dead away where this runs. */
const GONE_MS = 2_000;

/** Ends what no living guard holds. Never takes longer than the grace and 2 s. */
export const endStrays = async (clock: Clock, order: StrayOrder): Promise<void> => {
  const { graceMs } = order;
  const told = new Set<number>();
  const beginMs = clock.monotonicMs();
  for (;;) {
    const pids = await straysOf(order);
    const passedMs = clock.monotonicMs() - beginMs;
    if (pids.length === 0 || passedMs > graceMs + GONE_MS) return;
    const isLate = passedMs >= graceMs;
    for (const pid of pids) {
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

type Guarded = { readonly pid: number; readonly run: string; readonly isGuard: boolean };

const straysOf = async ({ run, isGuardGone = false }: StrayOrder): Promise<number[]> => {
  const names = await readdir('/proc').catch((): string[] => []);
  const seen = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map(look));
  const found = seen.filter((one) => one !== undefined);
  const guards = isGuardGone ? [] : found.filter(({ isGuard }) => isGuard);
  const held = new Set(guards.map((one) => one.run));
  return found
    .filter((one) => !held.has(one.run) && (run === undefined || one.run === run))
    .map(({ pid }) => pid);
};

/** Undefined: nothing of a cleaning, gone meanwhile, or of somebody else. */
const look = async (name: string): Promise<Guarded | undefined> => {
  const listOf = async (file: string): Promise<string[]> =>
    (await readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '')).split('\0');
  const entry = (await listOf('environ')).find((one) => one.startsWith(`${GUARDED}=`));
  if (entry === undefined) return undefined;
  // Also that of another installation on this host.
  const isGuard = (await listOf('cmdline')).some((one) => basename(one) === basename(GUARD));
  return { pid: Number(name), run: entry.slice(GUARDED.length + 1), isGuard };
};
