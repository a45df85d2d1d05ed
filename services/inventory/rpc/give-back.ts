import { actorOf } from '../../runtime/audit-actor.ts';
import type { HasValues } from '../../runtime/context.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type Grant, overtaken, returned, withdrawn } from '../domain/reservation.ts';
import { offeredTypes } from '../domain/reshape-intent.ts';
import type { RpcDeps } from './deps.ts';

export type GivingBack = {
  readonly grant: Grant;
  /** Uids of providers for which certainly nothing was recorded. */
  readonly certain: ReadonlySet<string>;
};

/**
 * Does nothing when the change was written after all; work/end-reservations.ts does what fails
 * here.
 */
export const giveBack = async (
  deps: RpcDeps,
  context: HasValues,
  giving: GivingBack,
): Promise<void> => {
  try {
    await deps.store.transaction(undefined, actorOf(context), (tx) => giveBackIn(deps, tx, giving));
  } catch (error) {
    const providers = [...giving.grant.generations.keys()];
    deps.log.warn({ err: error, providers }, 'reservations are left to end by themselves');
  }
};

const giveBackIn = async (
  { records: { providers } }: RpcDeps,
  tx: Tx,
  { grant, certain }: GivingBack,
): Promise<void> => {
  for (const record of await providers.lockUids(tx, [...grant.generations.keys()])) {
    const isCertain = certain.has(record.uid);
    const asked = grant.generations.get(record.uid) ?? 0;
    if (record.reserved.holder !== grant.holder) {
      const lifted = isCertain ? undefined : overtaken(record, asked);
      if (lifted !== undefined) await providers.saveGeneration(tx, lifted);
    } else if (isCertain) {
      await providers.saveReservation(tx, returned(record));
      if (record.reserved.intent === '') continue;
      await providers.setResourceTerms(tx, record, offeredTypes(record));
    } else await providers.saveGeneration(tx, withdrawn(record));
  }
};
