/**
 * Amounts that move between providers of one tree, with the allocations that lie on them. The
 * leader records all of it in one step; what it has recorded is written, by whichever replica is
 * there to do it (domain/reshape-intent.ts).
 */
import { create, type JsonValue, toJson } from '@bufbuild/protobuf';
import {
  type Inventory,
  InventorySchema,
} from '../../../gen/runmachine/inventory/v1/inventory_pb.ts';
import { ReshapeProviderResponseSchema } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { amountViolations, offersOf } from '../domain/amounts.ts';
import { keyOf, type ProviderRecord } from '../domain/records.ts';
import { demandFree, holds } from '../domain/reservation.ts';
import { type AllocationMove, offeredTypes, reshaped } from '../domain/reshape-intent.ts';
import { type Attempt, decidedFirst } from './decided-first.ts';
import { badField, mutate, type RpcDeps, refuseFields } from './deps.ts';
import type { Asking, Handle, In, Out, Show, Turn } from './provider-handlers.ts';
import { auditOf, lockProviders } from './provider-locks.ts';
import { amountsIn } from './provider-message.ts';
import { knownResourceTypes } from './provider-rules.ts';
import { AskFirst, type Question } from './question.ts';

export const providerReshape = (
  deps: RpcDeps,
  show: Show,
): { readonly reshapeProvider: Handle<'reshapeProvider'> } => ({
  reshapeProvider: (request, context) => {
    const response = ReshapeProviderResponseSchema;
    const attempt: Attempt<Out<'reshapeProvider'>> = (turn) =>
      mutate(deps, context, { response }, async (tx) => {
        const written = await reshape(deps, tx, { request, context, turn });
        return create(response, { providers: written.map((record) => show(record, context)) });
      });
    return decidedFirst(deps, context, attempt);
  },
});

type Reshaping = Asking<'reshapeProvider'> & Turn;

const reshape = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, turn }: Reshaping,
): Promise<readonly ProviderRecord[]> => {
  const { parent, providers } = request;
  const idsOrUids = providers.map(({ provider }) => provider);
  const current = await lockProviders(deps, tx, { parent, idsOrUids, context });
  // A repeat of what another replica has written after this one's process had died.
  if (current.every(({ reserved }) => reserved.finished === turn.holder)) return current;
  const inventories = new Map<string, readonly JsonValue[]>(
    current.map(({ uid }, index) => [uid, jsonOf(providers[index]?.inventories ?? [])]),
  );
  if (current.every((record) => holds(record, turn.grant))) {
    return await write(deps, tx, { current, inventories, holder: turn.holder });
  }
  const questions = await judge(deps, tx, { request, current, turn });
  const moves = await movesOf(deps, tx, { request, current });
  throw new AskFirst(questions, 'reshape', { inventories, moves });
};

const jsonOf = (inventories: readonly Inventory[]): readonly JsonValue[] =>
  inventories.map((inventory) => toJson(InventorySchema, inventory));

type Writing = {
  readonly current: readonly ProviderRecord[];
  readonly inventories: ReadonlyMap<string, readonly unknown[]>;
  readonly holder: string;
};

const write = async (
  { records, clock }: RpcDeps,
  tx: Tx,
  { current, inventories, holder }: Writing,
): Promise<readonly ProviderRecord[]> => {
  const nowMs = clock.now().getTime();
  const all: ProviderRecord[] = [];
  for (const record of current) {
    const { uid, reserved } = record;
    const { generation } = reserved;
    const part = { uid, generation, inventories: inventories.get(uid) ?? [], offers: [] };
    const written = reshaped(record, part, { holder, nowMs });
    await records.providers.saveReshaped(tx, written, offeredTypes(written));
    tx.audit({
      action: 'provider.reshape',
      ...auditOf(record),
      before: JSON.parse(record.doc),
      after: JSON.parse(written.doc),
    });
    all.push(written);
  }
  return all;
};

type Judging = Turn & {
  readonly request: In<'reshapeProvider'>;
  readonly current: readonly ProviderRecord[];
};

const judge = async (
  deps: RpcDeps,
  tx: Tx,
  { request, current, turn }: Judging,
): Promise<readonly Question[]> => {
  const { store, clock } = deps;
  const questions: Question[] = [];
  for (const [index, record] of current.entries()) {
    const wanted = request.providers[index];
    checkEtag(wanted?.etag ?? '', etagOf(record, store.incarnation()));
    if (record.rootUid !== current[0]?.rootUid) {
      throw badField(`providers[${index}].provider`, 'is not in the tree of the first one');
    }
    demandFree(record, turn.holder, clock.now().getTime());
    const amounts = amountsIn(wanted?.inventories ?? []);
    const codes = amounts.map(({ resourceType }) => resourceType);
    const types = await knownResourceTypes(deps, tx, codes);
    const violations = amountViolations(amounts, types).map(({ field, description }) => ({
      field: field.replace(/^spec\./, `providers[${index}].`),
      description,
    }));
    if (violations.length > 0) throw refuseFields(violations);
    questions.push({ record, offers: offersOf(amounts) });
  }
  return questions;
};

const movesOf = async (
  deps: RpcDeps,
  tx: Tx,
  { request, current }: Omit<Judging, 'turn'>,
): Promise<readonly AllocationMove[]> => {
  const [root] = current;
  const uidOf = async (field: string, idOrUid: string): Promise<string> => {
    const named = current.find(({ id, uid }) => [keyOf(id), uid].includes(keyOf(idOrUid)));
    if (named !== undefined) return named.uid;
    const found = root && (await deps.records.providers.keep(tx, root.partition, idOrUid));
    if (found && found.rootUid === root.rootUid) return found.uid;
    throw badField(field, `"${idOrUid}" is no provider of this tree`);
  };
  const moves: AllocationMove[] = [];
  for (const [index, move] of request.moves.entries()) {
    const fromUid = await uidOf(`moves[${index}].from_provider`, move.fromProvider);
    const toUid = await uidOf(`moves[${index}].to_provider`, move.toProvider);
    if (fromUid === toUid) {
      throw badField(`moves[${index}].to_provider`, 'is the provider from which it moves');
    }
    const { resourceType, claimUid } = move;
    moves.push({ fromUid, toUid, resourceType, claimUid: keyOf(claimUid) });
  }
  return moves;
};
