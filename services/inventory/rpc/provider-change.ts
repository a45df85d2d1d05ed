import { create, equals } from '@bufbuild/protobuf';
import {
  type Provider,
  ProviderSchema,
  ProviderSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  CreateProviderResponseSchema,
  UpdateProviderResponseSchema,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { accessOf, identityOf } from '../../runtime/context.ts';
import type { Identity } from '../../runtime/identity.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { lesserOf, offersOf, takesAway } from '../domain/amounts.ts';
import { newHead, type ProviderRecord } from '../domain/records.ts';
import {
  demandFree,
  holds,
  neverReserved,
  nextGeneration,
  unreserved,
} from '../domain/reservation.ts';
import { type Attempt, decidedFirst } from './decided-first.ts';
import {
  absent,
  badField,
  demandId,
  mutate,
  parseProviderName,
  partitionOf,
  type RpcDeps,
} from './deps.ts';
import { kindsOf, propertyViolations } from './property-rules.ts';
import type { Asking, Handle, In, Out, Show, Turn } from './provider-handlers.ts';
import { auditOf, lockProvider } from './provider-locks.ts';
import { amountsOf, providerDoc, specOf, storedProvider } from './provider-message.ts';
import { type Move, planMove, writeMove } from './provider-move.ts';
import { judgeSpec } from './provider-rules.ts';
import { AskFirst, type Question } from './question.ts';

export type ProviderChanges = {
  readonly createProvider: Handle<'createProvider'>;
  readonly updateProvider: Handle<'updateProvider'>;
};

const MASK = resourceMask(ProviderSchema);
const KIND = 'runm.provider';

export const providerChanges = (deps: RpcDeps, show: Show): ProviderChanges => ({
  createProvider: async (request, context) => {
    const { validateOnly } = request;
    const kinds = await kindsOf(deps, KIND, request.provider);
    const response = CreateProviderResponseSchema;
    return mutate(deps, context, { response, validateOnly }, async (tx) => {
      const record = await insertProvider(deps, tx, { request, context, kinds });
      return create(response, { provider: show(record, context) });
    });
  },
  updateProvider: async (request, context) => {
    const { validateOnly } = request;
    MASK.check(request.updateMask);
    const kinds = await kindsOf(deps, KIND, request.provider);
    const response = UpdateProviderResponseSchema;
    const attempt: Attempt<Out<'updateProvider'>> = (turn) =>
      mutate(deps, context, { response, validateOnly }, async (tx) => {
        const record = await writeProvider(deps, tx, { request, context, kinds, turn });
        return create(response, { provider: show(record, context) });
      });
    return decidedFirst(deps, context, attempt);
  },
});

type Kinds = { readonly kinds: ReadonlyMap<string, string> };

const insertProvider = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, kinds }: Asking<'createProvider'> & Kinds,
): Promise<ProviderRecord> => {
  const { records } = deps;
  const asked = partitionOf(request.parent);
  if (asked === undefined) throw badField('parent', 'must name one partition');
  demandId('provider_id', request.providerId);
  const found = await records.partitions.keep(tx, asked);
  if (!found || !accessOf(context).covers({ partition: found.id })) throw absent(request.parent);
  const given = request.provider ?? create(ProviderSchema);
  demandKinds(given, kinds);
  const caller = identityOf(context);
  return makeProvider(deps, tx, { partition: found.id, id: request.providerId, given, caller });
};

type Making = {
  readonly partition: string;
  readonly id: string;
  readonly given: Provider;
  readonly caller: Identity;
};

/** The caller keeps the partition. Errors: those of judgeSpec; already_exists. */
export const makeProvider = async (
  deps: RpcDeps,
  tx: Tx,
  { partition, id, given, caller }: Making,
): Promise<ProviderRecord> => {
  const { records, random, clock } = deps;
  const place = { uid: random.uid(), partition };
  const { spec, parts, ...tree } = await judgeSpec(deps, tx, { place, given, caller });
  const record: ProviderRecord = {
    ...newHead({ ...place, id, nowMs: clock.now().getTime() }),
    ...place,
    ...tree,
    reserved: neverReserved(1),
    observed: '',
    doc: providerDoc({ ...given, spec }),
  };
  await records.providers.insert(tx, record, parts);
  tx.audit({ action: 'provider.create', ...auditOf(record), after: JSON.parse(record.doc) });
  return record;
};

export const demandKinds = (given: Provider, kinds: ReadonlyMap<string, string>): void => {
  const [wrong] = propertyViolations(given, kinds);
  if (wrong !== undefined) throw badField(wrong.field, wrong.description);
};

type Writing = Asking<'updateProvider'> & Kinds & Turn;

export const writeProvider = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, kinds, turn }: Writing,
): Promise<ProviderRecord> => {
  const { store, records, clock } = deps;
  const given = request.provider ?? create(ProviderSchema);
  await keepTreesStill(deps, tx, request);
  const current = await lockProvider(deps, tx, { name: given.name, context });
  if (!current) throw absent(given.name);
  checkEtag(given.etag, etagOf(current, store.incarnation()));
  const before = storedProvider(current);
  const after = changed(request, before);
  if (request.updateMask?.paths.includes('properties')) demandKinds(after, kinds);
  const caller = identityOf(context);
  const judging = { place: current, given: after, before: specOf(before), caller };
  const judged = await judgeSpec(deps, tx, judging);
  const { spec, parts, parentUid, rootUid } = judged;
  const move = parentUid === current.parentUid ? undefined : await planMove(deps, tx, current);
  for (const member of move?.below ?? []) demandFree(member, turn.holder, clock.now().getTime());
  const head = equals(ProviderSpecSchema, spec, specOf(before))
    ? current
    : generationOf(deps, current, { turn, spec, move, validateOnly: request.validateOnly });
  const record: ProviderRecord = {
    ...head,
    version: current.version + 1,
    updateMs: clock.now().getTime(),
    parentUid,
    rootUid,
    doc: providerDoc({ ...after, spec }),
  };
  await records.providers.save(tx, record, parts);
  if (move) await writeMove(deps, tx, { move, rootUid, grant: turn.grant });
  tx.audit({
    action: 'provider.update',
    ...auditOf(record),
    before: JSON.parse(current.doc),
    after: JSON.parse(record.doc),
  });
  return record;
};

/**
 * While a provider is moved to another parent no other is moved or made in its partition, so that
 * the tops of trees are always right.
 */
const keepTreesStill = async (
  { records }: RpcDeps,
  tx: Tx,
  { provider, updateMask }: In<'updateProvider'>,
): Promise<void> => {
  if (!updateMask?.paths.includes('spec.parent_provider')) return;
  const { partition } = parseProviderName(provider?.name ?? '', 'provider.name');
  await records.partitions.lock(tx, partition);
};

/** What is not masked does not count, so a type is demanded of what comes out. */
const changed = ({ provider, updateMask }: In<'updateProvider'>, before: Provider): Provider => {
  const after = MASK.apply(updateMask, provider ?? create(ProviderSchema), before);
  if (specOf(after).type !== specOf(before).type) throw badField('spec.type', 'cannot be changed');
  return after;
};

type SpecChange = Turn & {
  readonly spec: ReturnType<typeof specOf>;
  readonly move: Move | undefined;
  readonly validateOnly: boolean;
};

/** The record with the generation that a changed spec gets. Throws AskFirst. */
const generationOf = (
  { clock }: RpcDeps,
  current: ProviderRecord,
  { turn, spec, move, validateOnly }: SpecChange,
): ProviderRecord => {
  demandFree(current, turn.holder, clock.now().getTime());
  const questions = move?.questions ?? ownQuestions(current, spec);
  const isGranted = questions.every(({ record }) => holds(record, turn.grant));
  if (!isGranted && !validateOnly) throw new AskFirst(questions, move ? 'move' : 'change');
  const generation = holds(current, turn.grant)
    ? current.reserved.generation
    : nextGeneration(current);
  return { ...current, generation, reserved: unreserved(current, generation) };
};

const ownQuestions = (
  current: ProviderRecord,
  spec: ReturnType<typeof specOf>,
): readonly Question[] => {
  const offered = offersOf(amountsOf(specOf(storedProvider(current))));
  const offers = offersOf(amountsOf(spec));
  return takesAway(offered, offers) ? [{ record: current, offers: lesserOf(offered, offers) }] : [];
};
