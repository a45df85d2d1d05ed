/**
 * Proposals that no scan has found for long are forgotten: the server is gone, or nobody scans
 * there any more. What an operator decided of one stays, so that later scans leave it so.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { InventoryRecords } from '../ports.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<InventoryRecords, 'discoveries'>;
  readonly clock: Clock;
  readonly log: Logger;
};

const KEPT_MS = 90 * 24 * 3_600_000;
const PAUSE_MS = 600_000;
const ROWS = 500;
const ACTOR = { principal: 'services/inventory', requestId: 'discoveries' };

/** Any replica does it; doing it twice does nothing. Runs until the signal aborts. */
export const forgetDiscoveries = async (deps: Deps, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    await deps.clock.sleep(PAUSE_MS, signal).catch(() => undefined);
    try {
      await forgetUnseen(deps, signal);
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ err: error }, 'discoveries cannot be forgotten now');
    }
  }
};

const forgetUnseen = async (
  { store, records, clock, log }: Deps,
  signal: AbortSignal,
): Promise<void> => {
  const beforeMs = clock.now().getTime() - KEPT_MS;
  for (let removed = ROWS; removed === ROWS && !signal.aborted; ) {
    removed = await store.transaction(undefined, ACTOR, (tx) =>
      records.discoveries.removeUnseen(tx, beforeMs, ROWS),
    );
    if (removed > 0) log.info({ discoveries: removed }, 'forgot what no scan finds any more');
  }
};
