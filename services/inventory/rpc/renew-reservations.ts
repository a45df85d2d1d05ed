import { actorOf } from '../../runtime/audit-actor.ts';
import type { HasValues } from '../../runtime/context.ts';
import { type Grant, holds, RENEWED_MS, renewed } from '../domain/reservation.ts';
import type { RpcDeps } from './deps.ts';

export type Reserved = { readonly grant: Grant; readonly sinceMs: number };

/**
 * Renews what a change has reserved when it is older than RENEWED_MS; gives since when it is
 * reserved. What it holds no more is left alone: the write finds that out.
 */
export const renewReservations = async (
  { store, records: { providers }, clock }: RpcDeps,
  context: HasValues,
  { grant, sinceMs }: Reserved,
): Promise<number> => {
  const nowMs = clock.now().getTime();
  if (nowMs - sinceMs < RENEWED_MS) return sinceMs;
  await store.transaction(undefined, actorOf(context), async (tx) => {
    for (const record of await providers.lockUids(tx, [...grant.generations.keys()])) {
      if (holds(record, grant)) await providers.saveReservation(tx, renewed(record, nowMs));
    }
  });
  return nowMs;
};
