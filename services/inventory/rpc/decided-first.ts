/**
 * A change that takes capacity away: asked of the scheduler between two transactions, under the
 * reservations of domain/reservation.ts. A change that takes nothing away is one transaction.
 *
 * Repeats of one request (the same request id) share their reservations: sent twice at once they
 * are done once, and one whose process died before the write is completed by its retry.
 */
import { createHash } from 'node:crypto';
import { actorOf } from '../../runtime/audit-actor.ts';
import { callOf, type HasValues } from '../../runtime/context.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { Offer } from '../domain/amounts.ts';
import type { Term } from '../domain/records.ts';
import { busy, demandFree, type Grant, reserve } from '../domain/reservation.ts';
import { encodeIntent, type ReshapeIntent, type ReshapePart } from '../domain/reshape-intent.ts';
import { ask } from './ask-leader.ts';
import type { RpcDeps } from './deps.ts';
import { giveBack } from './give-back.ts';
import { type Asked, AskFirst } from './question.ts';

export type Attempt<T> = (turn: {
  /** Names this change. */
  readonly holder: string;
  /** Absent: the scheduler was not asked; throw AskFirst where it must be. */
  readonly grant?: Grant;
}) => Promise<T>;

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
    const asked = await take(deps, context, { question: first, holder });
    if (asked !== undefined) {
      await ask(deps, context, asked);
      return await finish(deps, context, { asked, attempt });
    }
    // It changed since it was looked at, or a repeat of this request was quicker: look again.
    if (round === ROUNDS_MAX) throw busyOf(first);
  }
};

const asQuestion = (error: unknown): AskFirst => {
  if (error instanceof AskFirst) return error;
  throw error;
};

const busyOf = ({ questions: [first] }: AskFirst): Error =>
  first === undefined ? new Error('Nothing was asked') : busy(first.record);

const holderOf = ({ random }: RpcDeps, context: HasValues): string => {
  const { requestMark: mark } = callOf(context);
  if (mark === undefined) return random.uid();
  return createHash('sha256')
    .update(`${mark.caller}\n${mark.method}\n${mark.requestId}\n`)
    .update(mark.argumentHash)
    .digest('base64url');
};

type Taking = { readonly question: AskFirst; readonly holder: string };

/** Reserves all providers that the question is about; undefined when one has changed. */
const take = (
  deps: RpcDeps,
  context: HasValues,
  { question, holder }: Taking,
): Promise<Asked | undefined> => {
  const { store, records, clock } = deps;
  return store.transaction(undefined, actorOf(context), async (tx) => {
    const nowMs = clock.now().getTime();
    const uids = question.questions.map(({ record }) => record.uid);
    const locked = await records.providers.lockUids(tx, uids);
    const expected = new Map(
      question.questions.map(({ record }) => [record.uid, record.generation]),
    );
    const isSame = locked.every(({ uid, generation }) => expected.get(uid) === generation);
    if (!isSame || locked.length < expected.size) return undefined;
    for (const record of locked) demandFree(record, holder, nowMs);
    if (question.reshape !== undefined && !(await areTypesThere(deps, tx, question))) {
      return undefined;
    }
    const held = locked.map((record) => reserve(record, holder, nowMs));
    const generations = new Map(held.map(({ uid, reserved }) => [uid, reserved.generation]));
    const intent = intentOf(question, { holder, generations });
    const text = intent === undefined ? '' : encodeIntent(intent);
    for (const record of held) {
      const reserved = { ...record.reserved, intent: text };
      await records.providers.saveReservation(tx, { ...record, reserved });
    }
    for (const { record, offers } of intent === undefined ? [] : question.questions) {
      await records.providers.addTerms(tx, record, typeTerms(offers ?? []));
    }
    return { question, grant: { holder, generations }, ...(intent && { intent }) };
  });
};

/** Since the change was judged, one may have been deleted. */
const areTypesThere = async (
  { records }: RpcDeps,
  tx: Tx,
  { questions }: AskFirst,
): Promise<boolean> => {
  const named = questions.flatMap(({ offers = [] }) => offers.map((one) => one.resourceType));
  const codes = [...new Set(named)].toSorted();
  return (await records.resourceTypes.keepAll(tx, codes)).length === codes.length;
};

/** What is about to be offered counts from now on, so that its types stay. */
const typeTerms = (offers: readonly Offer[]): readonly Term[] =>
  offers.map(({ resourceType }): Term => ['resource_type', resourceType]);

const intentOf = (
  { questions, reshape }: AskFirst,
  { holder, generations }: Grant,
): ReshapeIntent | undefined => {
  const [first] = questions;
  if (reshape === undefined || first === undefined) return undefined;
  const parts = questions.map(
    ({ record: { uid }, offers }): ReshapePart => ({
      uid,
      generation: generations.get(uid) ?? 0,
      inventories: reshape.inventories.get(uid) ?? [],
      offers: offers ?? [],
    }),
  );
  return { holder, partition: first.record.partition, parts, moves: reshape.moves };
};

const finish = async <T>(
  deps: RpcDeps,
  context: HasValues,
  { asked, attempt }: { readonly asked: Asked; readonly attempt: Attempt<T> },
): Promise<T> => {
  const { grant, question } = asked;
  try {
    return await attempt({ holder: grant.holder, grant });
  } catch (error) {
    // A reshape that is recorded is written by work/end-reservations.ts if it cannot be here.
    if (asked.intent === undefined) await giveBack(deps, context, { grant, certain: NONE });
    throw error instanceof AskFirst ? busyOf(question) : error;
  }
};

const NONE: ReadonlySet<string> = new Set();
