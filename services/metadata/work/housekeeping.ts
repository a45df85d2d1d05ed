import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Coordination } from '../../store/coordination/port.ts';
import { publishRevocations } from '../../store/coordination/revocations.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { AGENT_LIFETIME_MS } from '../domain/certificate.ts';
import type { MetadataRecords } from '../ports.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: MetadataRecords;
  readonly coordination: Coordination;
  readonly clock: Clock;
  readonly log: Logger;
};

/** A revocation that could not be announced at once is told by this sweep. */
const SWEEP_MS = 5_000;
const STEP_MS = 10_000;
/** An hour beyond the last certificate: clocks of others are late. */
const REVOKED_MS = AGENT_LIFETIME_MS + 3_600_000;
const REVOKED_MAX = 10_000;
const CLEAN_MS = 3_600_000;
/** Ended tokens stay for a while, so that people see why theirs is refused. */
const KEEP_MS = 7 * 24 * 3_600_000;
const ROWS = 500;
const ACTOR = { principal: 'services/metadata', requestId: 'housekeeping' };

/** Runs until the signal aborts: announces revocations, removes what has long ended. */
export const keepHouse = async (deps: Deps, signal: AbortSignal): Promise<void> => {
  const { clock, log } = deps;
  let cleanedMs = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(STEP_MS)]);
    try {
      await announce(deps, limit);
      if (clock.monotonicMs() - cleanedMs >= CLEAN_MS) {
        await removeEnded(deps);
        cleanedMs = clock.monotonicMs();
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'housekeeping of metadata failed; it goes on');
    }
    await clock.sleep(SWEEP_MS, signal).catch(() => undefined);
  }
};

const announce = async (
  { store, records, coordination, clock }: Deps,
  signal: AbortSignal,
): Promise<void> => {
  const sinceMs = clock.now().getTime() - REVOKED_MS;
  const agents = await store.read((reader) =>
    records.agents.revokedSince(reader, sinceMs, REVOKED_MAX),
  );
  const revoked = agents.map(({ uid }) => ({ kind: 'agent' as const, uid }));
  await publishRevocations(coordination, revoked, signal);
};

const removeEnded = async ({ store, records, clock }: Deps): Promise<void> => {
  const beforeMs = clock.now().getTime() - KEEP_MS;
  await store.transaction(undefined, ACTOR, async (tx) => {
    await records.tokens.removeExpired(tx, beforeMs, ROWS);
    await records.joinTokens.removeOld(tx, beforeMs, ROWS);
  });
};
