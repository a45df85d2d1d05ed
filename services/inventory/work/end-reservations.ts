import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { isAbandoned, RESERVED_MS, withdrawn } from '../domain/reservation.ts';
import type { InventoryRecords } from '../ports.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: InventoryRecords;
  readonly clock: Clock;
  readonly log: Logger;
};

const PAUSE_MS = 10_000;
const ROWS = 100;
const ACTOR = { principal: 'services/inventory', requestId: 'reservations' };

/**
 * Ends reservations that their change left over because the process died between the scheduler's
 * yes and the write. Any replica does it; doing it twice does nothing. Runs until the signal
 * aborts.
 */
export const endReservations = async (deps: Deps, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    try {
      await endAbandoned(deps, signal);
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ err: error }, 'reservations cannot be ended now');
    }
    await deps.clock.sleep(PAUSE_MS, signal).catch(() => undefined);
  }
};

const endAbandoned = async (
  { store, records, clock, log }: Deps,
  signal: AbortSignal,
): Promise<void> => {
  const nowMs = clock.now().getTime();
  const uids = await store.read((reader) =>
    records.providers.reservedBefore(reader, nowMs - RESERVED_MS, ROWS),
  );
  for (const uid of uids) {
    if (signal.aborted) return;
    const ended = await store.transaction(undefined, ACTOR, async (tx) => {
      const record = await records.providers.lockUid(tx, uid);
      if (record === undefined || !isAbandoned(record, nowMs)) return false;
      await records.providers.saveGeneration(tx, withdrawn(record));
      return true;
    });
    if (ended) log.info({ provider: uid }, 'ended a change that was never written');
  }
};
