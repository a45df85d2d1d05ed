/**
 * Copies the log of a partition into SQL and then deletes it from coordination. Runs where the
 * partition is led, under its fence. What it did twice it did once: history knows the numbers.
 *
 * The log is safe where it is, so nothing hurries: it is copied in few large transactions, since
 * each makes the disk wait, and with it the commits of an etcd that has the same. What is deleted
 * was synced before, once for all of it.
 */
import assert from 'node:assert/strict';
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import type { Leadership } from '../../store/coordination/leadership-port.ts';
import { TRANSACTION_OPERATIONS_MAX } from '../../store/coordination/port.ts';
import { backOff, slept } from '../../store/coordination/waiting.ts';
import { type ClaimRecord, isEnded } from '../domain/claim.ts';
import type { LogBatch } from '../domain/command.ts';
import { logPrefix, parseKey } from '../domain/keys.ts';
import { decodeLog } from '../domain/record-format.ts';
import type { History } from '../ports.ts';

export type CollectorOptions = {
  readonly partition: string;
  readonly leadership: Pick<Leadership, 'fence' | 'signal'>;
  readonly history: History;
  /** Number of the newest commit that `claim` knows of; later ones are not collected yet. */
  readonly followed: () => number;
  /** Commits whose log is there. */
  readonly waiting: () => number;
  /** The claim as it is committed; undefined = it is gone. */
  readonly claim: (uid: string) => ClaimRecord | undefined;
  /** Commits wait so long for more. */
  readonly pauseMs: number;
};

export type Collector = {
  /** Number of the newest log entry that is in SQL. */
  readonly collected: () => number;
  /** Collects until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

/** Commits and bytes of one SQL transaction; a page more at the most. */
const COMMITS_MAX = 256;
const BYTES_MAX = 4 * 1024 ** 2;
/** Commits of one answer of coordination; each may have half a megabyte. */
const PAGE = 32;
/** Commits of a second in which the disk has nothing else to do. */
const FEW = 16;
/** How often the collector looks whether enough are waiting. */
const LOOK_MS = 1_000;

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
      let most = COMMITS_MAX;
      while (!signal.aborted) {
        try {
          if (!isKnown) collected = Math.max(collected, await history.collected(partition));
          isKnown = true;
          const { newest, isFull } = await collectSome(deps, options, { most, signal });
          collected = Math.max(collected, newest);
          isFailing = false;
          most = Math.min(COMMITS_MAX, most * 2);
          pause.reset();
          if (!isFull) await untilWorthIt(deps, options, signal);
        } catch (error) {
          if (signal.aborted) return;
          if (!isFailing) log.warn({ err: error, partition }, 'claims history cannot be written');
          isFailing = true;
          // It may have been too much for the time that a transaction has.
          most = PAGE;
          await slept(clock, pause.nextMs(), signal);
        }
      }
    },
  };
};

/**
 * Until a transaction would be full, or those that are there have waited long enough: those of a
 * quiet partition the time of one look, since people look at what they have just changed.
 */
const untilWorthIt = async (
  { clock }: CoordinationDeps,
  { pauseMs, waiting }: CollectorOptions,
  signal: AbortSignal,
): Promise<void> => {
  for (let leftMs = pauseMs; leftMs > 0; leftMs -= LOOK_MS) {
    const isOver = !(await slept(clock, Math.min(LOOK_MS, leftMs), signal));
    const there = waiting();
    if (isOver || there >= COMMITS_MAX || (there > 0 && there <= FEW)) return;
  }
};

type Round = { readonly most: number; readonly signal: AbortSignal };

/** The newest number that was collected, 0 = none, and whether there may be more. */
const collectSome = async (
  deps: CoordinationDeps,
  options: CollectorOptions,
  round: Round,
): Promise<{ readonly newest: number; readonly isFull: boolean }> => {
  const { logs, isFull } = await readSome(deps, options, round);
  const newest = logs.at(-1);
  if (newest === undefined) return { newest: 0, isFull: false };
  const { partition, leadership, history, claim } = options;
  const batches: Iterable<LogBatch> = {
    // Read when it is written: so much at once would outlive the young space.
    [Symbol.iterator]: () => logs.values().map(({ value }) => decodeLog(value)),
  };
  await history.record(partition, batches, (batch) => endedIn(batch, claim));
  for (let at = 0; at < logs.length; at += TRANSACTION_OPERATIONS_MAX) {
    const some = logs.slice(at, at + TRANSACTION_OPERATIONS_MAX);
    const writes = some.map(({ key }) => ({ delete: key }));
    await deps.coordination.transact({ compare: [leadership.fence], writes }, round.signal);
  }
  return { newest: newest.number, isFull };
};

type StoredLog = { readonly key: string; readonly value: Uint8Array; readonly number: number };

const readSome = async (
  { coordination }: CoordinationDeps,
  { partition, followed }: CollectorOptions,
  { most, signal }: Round,
): Promise<{ readonly logs: readonly StoredLog[]; readonly isFull: boolean }> => {
  const known = followed();
  const prefix = logPrefix(partition);
  const logs: StoredLog[] = [];
  for (let bytes = 0; logs.length < most && bytes < BYTES_MAX; ) {
    const after = logs.at(-1)?.key;
    const options = { prefix, limit: PAGE, ...(after !== undefined && { after }) };
    const { keys, more } = await coordination.range(options, signal);
    for (const { key, value } of keys) {
      const number = numberOf(key);
      if (number > known) return { logs, isFull: false };
      logs.push({ key, value, number });
      bytes += value.length;
    }
    if (!more) return { logs, isFull: false };
  }
  return { logs, isFull: true };
};

const numberOf = (key: string): number => {
  const part = parseKey(key)?.part;
  assert(part?.kind === 'log');
  return part.number;
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
