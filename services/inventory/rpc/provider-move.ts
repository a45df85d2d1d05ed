/**
 * A provider that gets another parent takes everything below it along. It must not be used: its
 * claims were made for the tree in which it was. So the leader first records that nothing below it
 * is offered, and, as whoever holds a whole machine holds its tree, that no provider above it is
 * offered whole. Each of these records lasts until the watch tells of the move itself.
 */
import { failedPrecondition } from '../../runtime/errors.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type Offer, offersOf } from '../domain/amounts.ts';
import { TREE_LEVELS_MAX } from '../domain/provider-tree.ts';
import { type ProviderRecord, providerName } from '../domain/records.ts';
import { type Grant, holds, unreserved } from '../domain/reservation.ts';
import type { RpcDeps } from './deps.ts';
import { amountsOf, specOf, storedProvider } from './provider-message.ts';
import type { Question } from './question.ts';

/** All are written in one transaction, and the leader is asked for each that offers something. */
const MOVED_MAX = 500;
const WHOLE = 'runm.machine.whole';

export type Move = {
  readonly below: readonly ProviderRecord[];
  readonly above: readonly ProviderRecord[];
  readonly questions: readonly Question[];
};

/** Errors: failed_precondition when too much would be moved at once. */
export const planMove = async (
  { records: { providers } }: RpcDeps,
  tx: Tx,
  current: ProviderRecord,
): Promise<Move> => {
  const uids = await providers.uidsBelow(tx, current.uid, MOVED_MAX + 1);
  if (uids.length > MOVED_MAX) throw tooMany(current);
  const below = await providers.lockUids(tx, uids);
  const above: ProviderRecord[] = [];
  for (let uid = current.parentUid; uid !== '' && above.length < TREE_LEVELS_MAX; ) {
    const next = await providers.lockUid(tx, uid);
    if (next !== undefined) above.push(next);
    uid = next?.parentUid ?? '';
  }
  const nothing: readonly Offer[] = [];
  const questions = [
    ...[current, ...below]
      .filter((record) => offersIn(record).some(({ usable }) => usable > 0n))
      .map((record): Question => ({ record, offers: nothing })),
    ...above.flatMap((record): readonly Question[] => {
      const offers = offersIn(record);
      const slices = offers.filter(({ resourceType }) => resourceType !== WHOLE);
      return slices.length === offers.length ? [] : [{ record, offers: slices }];
    }),
  ];
  return { below, above, questions };
};

const offersIn = (record: ProviderRecord): readonly Offer[] =>
  offersOf(amountsOf(specOf(storedProvider(record))));

const tooMany = (record: ProviderRecord) => {
  const name = providerName(record);
  return failedPrecondition(
    'NOT_ALLOWED',
    `Cannot move ${name}: more than ${MOVED_MAX} providers are below it; move those first`,
    { metadata: { name, max: String(MOVED_MAX) } },
  );
};

type Moving = {
  readonly move: Move;
  readonly rootUid: string;
  readonly grant: Grant | undefined;
};

/** Writes what a move changes of others; watchers hear of each. */
export const writeMove = async (
  { records: { providers } }: RpcDeps,
  tx: Tx,
  { move, rootUid, grant }: Moving,
): Promise<void> => {
  for (const record of move.below) {
    const moved = { ...record, rootUid };
    await providers.saveRoot(tx, moved);
    if (holds(record, grant)) await providers.saveGeneration(tx, granted(moved));
  }
  for (const record of move.above) {
    if (holds(record, grant)) await providers.saveGeneration(tx, granted(record));
  }
};

const granted = (record: ProviderRecord): ProviderRecord => {
  const { generation } = record.reserved;
  return { ...record, generation, reserved: unreserved(record, generation) };
};
