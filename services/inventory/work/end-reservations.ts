import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { ProviderRecord } from '../domain/records.ts';
import {
  isAbandoned,
  isCertainNo,
  isLeftOver,
  RESERVED_MS,
  returned,
  withdrawn,
} from '../domain/reservation.ts';
import {
  decodeIntent,
  offeredTypes,
  type ReshapeIntent,
  reshaped,
} from '../domain/reshape-intent.ts';
import type { CapacityDecisions, InventoryRecords } from '../ports.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: InventoryRecords;
  readonly capacity: CapacityDecisions;
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
      await endLeftOver(deps, signal);
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ err: error }, 'reservations cannot be ended now');
    }
    await deps.clock.sleep(PAUSE_MS, signal).catch(() => undefined);
  }
};

/** One round of it. */
const endLeftOver = async (deps: Deps, signal: AbortSignal): Promise<void> => {
  const { store, records, clock, log } = deps;
  const nowMs = clock.now().getTime();
  const uids = await store.read((reader) =>
    records.providers.reservedBefore(reader, nowMs - RESERVED_MS, ROWS),
  );
  const rows = await store.read((reader) => records.providers.byUids(reader, uids));
  for (const row of rows) {
    if (signal.aborted) return;
    try {
      if (row.reserved.intent !== '') await endReshape(deps, row, signal);
      else await withdraw(deps, row, nowMs);
    } catch (error) {
      // A partition whose leader is away keeps no other partition's providers reserved.
      if (signal.aborted) return;
      log.warn({ err: error, provider: row.uid }, 'a reservation cannot be ended now');
    }
  }
};

const withdraw = async (
  { store, records, log }: Deps,
  { uid }: ProviderRecord,
  nowMs: number,
): Promise<void> => {
  const ended = await store.transaction(undefined, ACTOR, async (tx) => {
    const record = await records.providers.lockUid(tx, uid);
    if (record === undefined || !isAbandoned(record, nowMs)) return false;
    await records.providers.saveGeneration(tx, withdrawn(record));
    return true;
  });
  if (ended) log.info({ provider: uid }, 'ended a change that was never written');
};

/**
 * The leader is asked for the same once more: it answers yes when it has recorded it, or records it
 * now, and then it is written; after a certain no nothing was recorded. Without an answer it stays
 * as it is, and so do its providers, until the leader is back.
 */
const endReshape = async (deps: Deps, row: ProviderRecord, signal: AbortSignal): Promise<void> => {
  const { capacity, log } = deps;
  const intent = decodeIntent(row.reserved.intent);
  const providers = intent.parts.map(({ uid }) => uid);
  try {
    await capacity.reshape(intent, { signal });
  } catch (error) {
    if (!isCertainNo(error)) throw error;
    if (await giveBack(deps, intent)) log.info({ providers }, 'ended a reshape that was refused');
    return;
  }
  if (await complete(deps, intent)) log.info({ providers }, 'wrote a reshape that was left over');
};

const held = (record: ProviderRecord, { holder, parts }: ReshapeIntent) =>
  record.reserved.holder === holder
    ? parts.find(
        ({ uid, generation }) => uid === record.uid && generation === record.reserved.generation,
      )
    : undefined;

const complete = ({ store, records, clock }: Deps, intent: ReshapeIntent): Promise<boolean> =>
  store.transaction(undefined, ACTOR, async (tx) => {
    const nowMs = clock.now().getTime();
    const uids = intent.parts.map(({ uid }) => uid);
    let isWritten = false;
    for (const record of await records.providers.lockUids(tx, uids)) {
      const part = held(record, intent);
      if (part === undefined || !isLeftOver(record, nowMs)) continue;
      const { holder } = intent;
      const written = reshaped(record, part, { holder, nowMs });
      await records.providers.saveReshaped(tx, written, offeredTypes(written));
      const { partition, uid: objectUid, id } = record;
      tx.audit({
        action: 'provider.reshape',
        objectKind: 'provider',
        objectUid,
        objectName: `partitions/${partition}/providers/${id}`,
        partition,
        before: JSON.parse(record.doc),
        after: JSON.parse(written.doc),
      });
      isWritten = true;
    }
    return isWritten;
  });

const giveBack = ({ store, records }: Deps, intent: ReshapeIntent): Promise<boolean> =>
  store.transaction(undefined, ACTOR, async (tx) => {
    const uids = intent.parts.map(({ uid }) => uid);
    let isEnded = false;
    for (const record of await records.providers.lockUids(tx, uids)) {
      if (held(record, intent) === undefined) continue;
      await records.providers.saveReservation(tx, returned(record));
      await records.providers.setResourceTerms(tx, record, offeredTypes(record));
      isEnded = true;
    }
    return isEnded;
  });
