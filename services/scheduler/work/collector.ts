/**
 * Copies the log of a partition into SQL and then deletes it from coordination. Runs where the
 * partition is led, under its fence. What it did twice it did once: history knows the numbers.
 */
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import type { Leadership } from '../../store/coordination/leadership-port.ts';
import { backOff, slept } from '../../store/coordination/waiting.ts';
import { type ClaimRecord, isEnded } from '../domain/claim.ts';
import type { LogBatch } from '../domain/command.ts';
import { logKey, logPrefix } from '../domain/keys.ts';
import { decodeLog } from '../domain/record-format.ts';
import type { History } from '../ports.ts';

export type CollectorOptions = {
  readonly partition: string;
  readonly leadership: Pick<Leadership, 'fence' | 'signal'>;
  readonly history: History;
  /** Number of the newest commit that `claim` knows of; later ones are not collected yet. */
  readonly followed: () => number;
  /** The claim as it is committed; undefined = it is gone. */
  readonly claim: (uid: string) => ClaimRecord | undefined;
  /** Pause between looks at an empty log. */
  readonly pauseMs: number;
};

export type Collector = {
  /** Number of the newest log entry that is in SQL. */
  readonly collected: () => number;
  /** Collects until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

/** Commits of one SQL transaction. */
const BATCHES_MAX = 32;

export const createCollector = (deps: CoordinationDeps, options: CollectorOptions): Collector => {
  const { clock, log, random } = deps;
  const { partition, history } = options;
  let collected = 0;
  return {
    collected: () => collected,
    run: async (signal) => {
      const pause = backOff(random, { firstMs: 200, mostMs: 10_000 });
      let isFailing = false;
      let isKnown = false;
      while (!signal.aborted) {
        try {
          if (!isKnown) collected = Math.max(collected, await history.collected(partition));
          isKnown = true;
          const newest = await collectSome(deps, options, signal);
          if (newest !== undefined) collected = Math.max(collected, newest.number);
          isFailing = false;
          pause.reset();
          // Fewer and larger transactions: what is not full is worth a wait.
          if (newest === undefined || !newest.isFull) await slept(clock, options.pauseMs, signal);
        } catch (error) {
          if (signal.aborted) return;
          if (!isFailing) log.warn({ err: error, partition }, 'claims history cannot be written');
          isFailing = true;
          await slept(clock, pause.nextMs(), signal);
        }
      }
    },
  };
};

/** The newest number that was collected; undefined when the log is empty. */
const collectSome = async (
  { coordination }: CoordinationDeps,
  { partition, leadership, history, followed, claim }: CollectorOptions,
  signal: AbortSignal,
): Promise<{ readonly number: number; readonly isFull: boolean } | undefined> => {
  const prefix = logPrefix(partition);
  const { keys } = await coordination.range({ prefix, limit: BATCHES_MAX }, signal);
  const known = followed();
  const batches = keys.map(({ value }) => decodeLog(value)).filter(({ number }) => number <= known);
  const newest = batches.at(-1);
  if (newest === undefined) return undefined;
  await history.record(partition, batches, (batch) => endedIn(batch, claim));
  const writes = batches.map(({ number }) => ({ delete: logKey(partition, number) }));
  await coordination.transact({ compare: [leadership.fence], writes }, signal);
  return { number: newest.number, isFull: batches.length === BATCHES_MAX };
};

const endedIn = (
  { entries }: LogBatch,
  claim: CollectorOptions['claim'],
): readonly ClaimRecord[] => {
  const finished = entries.filter(({ action }) => action === 'claim.finish');
  const uids = new Set(finished.map(({ objectUid }) => objectUid));
  return [...uids].flatMap((uid) => {
    const found = claim(uid);
    return found !== undefined && isEnded(found) ? [found] : [];
  });
};
