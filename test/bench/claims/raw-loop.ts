/**
 * The limit beside batches: a loop that puts the same keys and values in the same transactions, one
 * on its way at a time and each behind a comparison, as a leader must; and does nothing else.
 */
import { claimKey, headKey } from '../../../services/scheduler/domain/keys.ts';
import type { Coordination, Write } from '../../../services/store/coordination/port.ts';
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
const PREFIX = HEAD.slice(0, -'head'.length);

/** Claims a second of the loop, under keys of its own. */
export const rawRate = async (
  coordination: Coordination,
  commits: Commits,
  durationMs: number,
): Promise<number> => {
  if (commits.length === 0) throw new Error('No commit was seen');
  const startMs = performance.now();
  let headRevision = (await coordination.get(aside(HEAD), signalOf()))?.modRevision ?? 0n;
  let claims = 0;
  for (let at = 0; performance.now() - startMs < durationMs; at += 1) {
    const puts = commits[at % commits.length] ?? [];
    const { succeeded, revision } = await coordination.transact(
      {
        compare: [{ key: aside(HEAD), target: 'modRevision', equals: headRevision }],
        writes: puts.map((write) => ('put' in write ? { ...write, put: aside(write.put) } : write)),
      },
      signalOf(),
    );
    if (!succeeded) throw new Error('The raw loop lost its head');
    headRevision = revision;
    claims += puts.filter((write) => 'put' in write && write.put.startsWith(CLAIMS)).length;
  }
  return (claims * 1000) / (performance.now() - startMs);
};

/** Outside of what the scheduler follows. */
const aside = (key: string): string => `raw/${key}`;

const signalOf = (): AbortSignal => AbortSignal.timeout(CALL_MS);
