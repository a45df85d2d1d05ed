/**
 * The limit beside batches and large claims: a loop that puts the same keys and values in the same
 * transactions, one on its way at a time and each behind a comparison, as a leader must; and does
 * nothing else.
 */
import { claimKey, headKey, logPrefix } from '../../../services/scheduler/domain/keys.ts';
import { decodeLog } from '../../../services/scheduler/domain/record-format.ts';
import type {
  Coordination,
  Transaction,
  Write,
} from '../../../services/store/coordination/port.ts';
import { PARTITION } from '../fleet/fleet.ts';

/** The puts of commits, as the store saw them. */
export type Commits = readonly (readonly Write[])[];

const COMMITS_MAX = 400;
const CALL_MS = 10_000;

export type CommitWatch = AsyncDisposable & {
  /** What was committed since the begin, whole transactions. */
  readonly end: () => Promise<Commits>;
};

export const watchCommits = (coordination: Coordination): CommitWatch => {
  const ended = new AbortController();
  const commits: Write[][] = [];
  const watch = async (): Promise<void> => {
    const { revision } = await coordination.range({ prefix: HEAD, limit: 1 }, ended.signal);
    const options = { prefix: PREFIX, from: revision + 1n, signal: ended.signal };
    for await (const { events } of coordination.watch(options)) {
      const puts = events.flatMap((event) =>
        event.kind === 'put' ? [{ put: event.at.key, value: event.at.value }] : [],
      );
      if (commits.length < COMMITS_MAX && puts.some(({ put }) => put === HEAD)) commits.push(puts);
    }
  };
  const watching = watch().catch((error: unknown) => {
    if (!ended.signal.aborted) throw error;
  });
  watching.catch(() => undefined);
  const end = async () => {
    ended.abort();
    await watching;
    return commits;
  };
  return { end, [Symbol.asyncDispose]: async () => void (await end()) };
};

const HEAD = headKey(PARTITION);
const CLAIMS = claimKey(PARTITION, '');
const LOG = logPrefix(PARTITION);
const PREFIX = HEAD.slice(0, -'head'.length);

/** Claims a second of the loop. */
export const rawRate = async (
  coordination: Coordination,
  commits: Commits,
  durationMs: number,
): Promise<number> => {
  const startMs = performance.now();
  let claims = 0;
  for await (const { puts } of putAgain(coordination, commits)) {
    claims += puts.filter((write) => 'put' in write && write.put.startsWith(CLAIMS)).length;
    if (performance.now() - startMs >= durationMs) break;
  }
  return (claims * 1000) / (performance.now() - startMs);
};

/** How long it takes to put what makes a claim, so many times; what comes between is put too. */
export const rawLatencies = async (
  coordination: Coordination,
  commits: Commits,
  samples: number,
): Promise<readonly number[]> => {
  const creations = new Set(commits.filter(isCreation));
  if (creations.size === 0) throw new Error('No claim was seen to be made');
  const latencies: number[] = [];
  for await (const { puts, tookMs } of putAgain(coordination, commits)) {
    if (creations.has(puts)) latencies.push(tookMs);
    if (latencies.length >= samples) break;
  }
  return latencies;
};

const isCreation = (puts: readonly Write[]): boolean =>
  puts.some(
    (write) =>
      'put' in write &&
      write.put.startsWith(LOG) &&
      decodeLog(write.value).entries.some(({ action }) => action === 'claim.create'),
  );

/** One after the other, over and over, under keys of their own; `tookMs` until the answer. */
const putAgain = async function* (
  coordination: Coordination,
  commits: Commits,
): AsyncGenerator<{ readonly puts: readonly Write[]; readonly tookMs: number }, void, void> {
  if (commits.length === 0) throw new Error('No commit was seen');
  let headRevision = (await coordination.get(aside(HEAD), signalOf()))?.modRevision ?? 0n;
  for (let at = 0; ; at += 1) {
    const puts = commits[at % commits.length] ?? [];
    const transaction: Transaction = {
      compare: [{ key: aside(HEAD), target: 'modRevision', equals: headRevision }],
      writes: puts.map((write) => ('put' in write ? { ...write, put: aside(write.put) } : write)),
    };
    const sentMs = performance.now();
    const { succeeded, revision } = await coordination.transact(transaction, signalOf());
    const tookMs = performance.now() - sentMs;
    if (!succeeded) throw new Error('The raw loop lost its head');
    headRevision = revision;
    yield { puts, tookMs };
  }
};

/** Outside of what the scheduler follows. */
const aside = (key: string): string => `raw/${key}`;

const signalOf = (): AbortSignal => AbortSignal.timeout(CALL_MS);
