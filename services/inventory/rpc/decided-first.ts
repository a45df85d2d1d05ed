/**
 * A change that takes capacity away: asked of the scheduler between two transactions, under the
 * reservation of domain/reservation.ts. A change that takes nothing away is one transaction.
 *
 * Repeats of one request (the same request id) share a reservation: sent twice at once they are
 * done once, and one whose process died before the write is completed by its retry.
 */
import { createHash } from 'node:crypto';
import type { CallOptions } from '@connectrpc/connect';
import { actorOf } from '../../runtime/audit-actor.ts';
import { callOf, type HasValues } from '../../runtime/context.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { asService } from '../../runtime/rpc/outgoing.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { Offer } from '../domain/amounts.ts';
import type { ProviderRecord } from '../domain/records.ts';
import {
  busy,
  demandFree,
  overtaken,
  reserve,
  returned,
  withdrawn,
} from '../domain/reservation.ts';
import type { RpcDeps } from './deps.ts';

/** What the scheduler said yes to. */
export type Grant = { readonly holder: string; readonly generation: number };

export type Attempt<T> = (turn: {
  /** Names this change. */
  readonly holder: string;
  /** Absent: the scheduler was not asked; throw AskFirst where it must be. */
  readonly grant?: Grant;
}) => Promise<T>;

/** Leaves the transaction to ask. */
export class AskFirst extends Error {
  readonly record: ProviderRecord;
  /** Absent: the provider is to go. */
  readonly offers: readonly Offer[] | undefined;

  constructor(record: ProviderRecord, offers?: readonly Offer[]) {
    super('The scheduler has to be asked first');
    this.record = record;
    this.offers = offers;
  }
}

const ROUNDS_MAX = 3;

/** Errors: those of the attempt and of the scheduler; aborted BUSY when others kept changing it. */
export const decidedFirst = async <T>(
  deps: RpcDeps,
  context: HasValues,
  attempt: Attempt<T>,
): Promise<T> => {
  const holder = holderOf(deps, context);
  for (let round = 1; ; round += 1) {
    const first = await attempt({ holder }).catch(asQuestion);
    if (!(first instanceof AskFirst)) return first;
    const grant = await take(deps, context, { question: first, holder });
    if (grant !== undefined) {
      await ask(deps, context, { question: first, grant });
      return await finish(deps, context, { question: first, grant, attempt });
    }
    // It changed since it was looked at, or a repeat of this request was quicker: look again.
    if (round === ROUNDS_MAX) throw busy(first.record);
  }
};

const asQuestion = (error: unknown): AskFirst => {
  if (error instanceof AskFirst) return error;
  throw error;
};

const holderOf = ({ random }: RpcDeps, context: HasValues): string => {
  const { requestMark: mark } = callOf(context);
  if (mark === undefined) return random.uid();
  return createHash('sha256')
    .update(`${mark.caller}\n${mark.method}\n${mark.requestId}\n`)
    .update(mark.argumentHash)
    .digest('base64url');
};

const take = (
  { store, records, clock }: RpcDeps,
  context: HasValues,
  { question, holder }: { question: AskFirst; holder: string },
): Promise<Grant | undefined> =>
  store.transaction(undefined, actorOf(context), async (tx) => {
    const nowMs = clock.now().getTime();
    const record = await records.providers.lockUid(tx, question.record.uid);
    if (record?.generation !== question.record.generation) return undefined;
    demandFree(record, holder, nowMs);
    const held = reserve(record, holder, nowMs);
    await records.providers.saveReservation(tx, held);
    return { holder, generation: held.reserved.generation };
  });

type Granted = { readonly question: AskFirst; readonly grant: Grant };

const ask = async (
  deps: RpcDeps,
  context: HasValues,
  { question, grant }: Granted,
): Promise<void> => {
  const { partition, uid } = question.record;
  const change = { partition, uid, generation: grant.generation };
  const call: CallOptions = asService(context);
  try {
    if (question.offers === undefined) await deps.capacity.retire(change, call);
    else await deps.capacity.reduce({ ...change, offers: question.offers }, call);
  } catch (error) {
    await giveBack(deps, context, { question, grant, isCertain: isCertainNo(error) });
    throw error;
  }
};

/** Anything else may have been recorded, or may yet be. */
const isCertainNo = (error: unknown): boolean =>
  isDomainError(error, 'failed_precondition') || isDomainError(error, 'invalid_argument');

const finish = async <T>(
  deps: RpcDeps,
  context: HasValues,
  { question, grant, attempt }: Granted & { readonly attempt: Attempt<T> },
): Promise<T> => {
  try {
    return await attempt({ holder: grant.holder, grant });
  } catch (error) {
    await giveBack(deps, context, { question, grant, isCertain: false });
    throw error instanceof AskFirst ? busy(error.record) : error;
  }
};

/**
 * Does nothing when the change was written after all; work/end-reservations.ts does what fails
 * here.
 */
const giveBack = async (
  deps: RpcDeps,
  context: HasValues,
  { question, grant, isCertain }: Granted & { readonly isCertain: boolean },
): Promise<void> => {
  const { uid } = question.record;
  try {
    await deps.store.transaction(undefined, actorOf(context), (tx) =>
      giveBackIn(deps, tx, { uid, grant, isCertain }),
    );
  } catch (error) {
    deps.log.warn({ err: error, provider: uid }, 'reservation is left to end by itself');
  }
};

const giveBackIn = async (
  { records }: RpcDeps,
  tx: Tx,
  { uid, grant, isCertain }: { uid: string; grant: Grant; isCertain: boolean },
): Promise<void> => {
  const record = await records.providers.lockUid(tx, uid);
  if (record === undefined) return;
  if (record.reserved.holder !== grant.holder) {
    const lifted = isCertain ? undefined : overtaken(record, grant.generation);
    if (lifted !== undefined) await records.providers.saveGeneration(tx, lifted);
    return;
  }
  if (isCertain) await records.providers.saveReservation(tx, returned(record));
  else await records.providers.saveGeneration(tx, withdrawn(record));
};
