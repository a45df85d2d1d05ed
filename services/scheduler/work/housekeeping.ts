/**
 * What a leader tidies now and then: ended claims leave coordination some time after their end,
 * once history has them, and the history of coordination itself is compacted behind everybody who
 * may still need it.
 */
import { isDomainError } from '../../runtime/errors.ts';
import type { CoordinationDeps } from '../../store/coordination/held-lease.ts';
import { slept } from '../../store/coordination/waiting.ts';
import { type ClaimRecord, endMs } from '../domain/claim.ts';
import { ON_TIME } from '../domain/command.ts';
import type { LocalLeader } from '../ports.ts';

export type HousekeepingOptions = {
  readonly leader: LocalLeader;
  readonly claims: () => Iterable<ClaimRecord>;
  readonly nowMs: () => number;
  /** Number of the newest log entry that is in SQL. */
  readonly collected: () => number;
  /** Newest store revision known here. */
  readonly revision: () => bigint;
  readonly limits: HousekeepingLimits;
};

export type HousekeepingLimits = {
  readonly everyMs: number;
  /** How long an ended claim is still shown. */
  readonly endedRetentionMs: number;
  /** How much history of coordination is kept, for watches that come back. */
  readonly compactAfterMs: number;
};

/** Claims that one round forgets; what is left waits for the next. */
const FORGOTTEN_MAX = 500;

type Sample = { readonly atMs: number; readonly revision: bigint };

/** Tidies until the signal aborts. */
export const keepHouse = async (
  deps: CoordinationDeps,
  options: HousekeepingOptions,
  signal: AbortSignal,
): Promise<void> => {
  let samples: readonly Sample[] = [];
  while (await slept(deps.clock, options.limits.everyMs, signal)) {
    try {
      await forgetEnded(options, signal);
      samples = await compact(deps, options, { samples, signal });
    } catch (error) {
      if (signal.aborted) return;
      const isUsual = isDomainError(error, 'unavailable');
      deps.log[isUsual ? 'debug' : 'warn']({ err: error }, 'housekeeping of claims failed');
    }
  }
};

const forgetEnded = async (options: HousekeepingOptions, signal: AbortSignal): Promise<void> => {
  const { leader, limits, nowMs, collected, claims } = options;
  const before = nowMs() - limits.endedRetentionMs;
  const old: ClaimRecord[] = [];
  for (const claim of claims()) {
    const atMs = endMs(claim);
    if (atMs !== undefined && atMs < before && claim.logNumber <= collected()) old.push(claim);
    if (old.length >= FORGOTTEN_MAX) break;
  }
  await Promise.all(
    old.map(({ uid }) => leader.submit({ verb: 'forget', origin: ON_TIME, uid }, signal)),
  );
};

type Compaction = { readonly samples: readonly Sample[]; readonly signal: AbortSignal };

/** Compacts to what was the newest revision some time ago; gives the samples to go on with. */
const compact = async (
  { clock, coordination }: CoordinationDeps,
  { limits, revision }: HousekeepingOptions,
  { samples, signal }: Compaction,
): Promise<readonly Sample[]> => {
  const atMs = clock.monotonicMs();
  const all = [...samples, { atMs, revision: revision() }];
  const reached = all.filter((sample) => sample.atMs <= atMs - limits.compactAfterMs).at(-1);
  if (reached === undefined) return all;
  await coordination.compact(reached.revision, signal);
  return all.filter((sample) => sample.atMs > reached.atMs);
};
