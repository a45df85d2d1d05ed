import { create, equals, type MessageShape } from '@bufbuild/protobuf';
import {
  type Provider,
  ProviderSchema,
  ProviderSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  CreateProviderResponseSchema,
  DeleteProviderResponseSchema,
  type ProviderService,
  UpdateProviderResponseSchema,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { accessOf, type HasValues } from '../../runtime/context.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { lesserOf, offersOf, takesAway } from '../domain/amounts.ts';
import { newHead, type ProviderRecord, providerName } from '../domain/records.ts';
import { demandFree, holds, nextGeneration, unreserved } from '../domain/reservation.ts';
import { AskFirst, type Attempt, decidedFirst } from './decided-first.ts';
import {
  absent,
  badField,
  demandId,
  mutate,
  parseProviderName,
  partitionOf,
  type RpcDeps,
} from './deps.ts';
import { amountsOf, providerDoc, specOf, storedProvider } from './provider-message.ts';
import { judgeSpec } from './provider-rules.ts';

type Service = typeof ProviderService.method;
type In<M extends keyof Service> = MessageShape<Service[M]['input']>;
type Out<M extends keyof Service> = MessageShape<Service[M]['output']>;
type Handle<M extends keyof Service> = (request: In<M>, context: HasValues) => Promise<Out<M>>;

export type ProviderChanges = {
  readonly createProvider: Handle<'createProvider'>;
  readonly updateProvider: Handle<'updateProvider'>;
  readonly deleteProvider: Handle<'deleteProvider'>;
};

type Show = (record: ProviderRecord, context: HasValues) => Provider;

const MASK = resourceMask(ProviderSchema);

export const providerChanges = (deps: RpcDeps, show: Show): ProviderChanges => ({
  createProvider: (request, context) => {
    const { validateOnly } = request;
    return mutate(
      deps,
      context,
      { response: CreateProviderResponseSchema, validateOnly },
      async (tx) => {
        const record = await insertProvider(deps, tx, { request, context });
        return create(CreateProviderResponseSchema, { provider: show(record, context) });
      },
    );
  },
  updateProvider: (request, context) => {
    const { validateOnly } = request;
    MASK.check(request.updateMask);
    const attempt: Attempt<Out<'updateProvider'>> = (turn) =>
      mutate(
        deps,
        context,
        { response: UpdateProviderResponseSchema, validateOnly },
        async (tx) => {
          const record = await writeProvider(deps, tx, { request, context, turn });
          return create(UpdateProviderResponseSchema, { provider: show(record, context) });
        },
      );
    return decidedFirst(deps, context, attempt);
  },
  deleteProvider: (request, context) => {
    const attempt: Attempt<Out<'deleteProvider'>> = (turn) =>
      mutate(deps, context, { response: DeleteProviderResponseSchema }, async (tx) => {
        await removeProvider(deps, tx, { request, context, turn });
        return create(DeleteProviderResponseSchema);
      });
    return decidedFirst(deps, context, attempt);
  },
});

type Asked<M extends keyof Service> = {
  readonly request: In<M>;
  readonly context: HasValues;
};
type Turned<M extends keyof Service> = Asked<M> & {
  readonly turn: Parameters<Attempt<unknown>>[0];
};

const insertProvider = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context }: Asked<'createProvider'>,
): Promise<ProviderRecord> => {
  const { records, random, clock } = deps;
  const asked = partitionOf(request.parent);
  if (asked === undefined) throw badField('parent', 'must name one partition');
  demandId('provider_id', request.providerId);
  const found = await records.partitions.keep(tx, asked);
  if (!found || !accessOf(context).covers({ partition: found.id })) throw absent(request.parent);
  const given = request.provider ?? create(ProviderSchema);
  const place = { uid: random.uid(), partition: found.id };
  const { spec, parentUid, parts } = await judgeSpec(deps, tx, { place, given: specOf(given) });
  const record: ProviderRecord = {
    ...newHead({ ...place, id: request.providerId, nowMs: clock.now().getTime() }),
    ...place,
    generation: 1,
    reserved: unreserved(1),
    parentUid,
    doc: providerDoc({ ...given, spec }),
  };
  await records.providers.insert(tx, record, parts);
  tx.audit({ action: 'provider.create', ...auditOf(record), after: JSON.parse(record.doc) });
  return record;
};

const writeProvider = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, turn }: Turned<'updateProvider'>,
): Promise<ProviderRecord> => {
  const { store, records, clock } = deps;
  const given = request.provider ?? create(ProviderSchema);
  const current = await lockProvider(deps, tx, { name: given.name, context });
  if (!current) throw absent(given.name);
  checkEtag(given.etag, etagOf(current, store.incarnation()));
  const before = storedProvider(current);
  const after = MASK.apply(request.updateMask, given, before);
  if (specOf(after).type !== specOf(before).type) throw badField('spec.type', 'cannot be changed');
  const judged = await judgeSpec(deps, tx, { place: current, given: specOf(after) });
  const { spec, parentUid, parts } = judged;
  const head = equals(ProviderSpecSchema, spec, specOf(before))
    ? current
    : generationOf(deps, current, { turn, spec, validateOnly: request.validateOnly });
  const record: ProviderRecord = {
    ...head,
    version: current.version + 1,
    updateMs: clock.now().getTime(),
    parentUid,
    doc: providerDoc({ ...after, spec }),
  };
  await records.providers.save(tx, record, parts);
  tx.audit({
    action: 'provider.update',
    ...auditOf(record),
    before: JSON.parse(current.doc),
    after: JSON.parse(record.doc),
  });
  return record;
};

type SpecChange = Pick<Turned<'updateProvider'>, 'turn'> & {
  readonly spec: ReturnType<typeof specOf>;
  readonly validateOnly: boolean;
};

/** The record with the generation that a changed spec gets. Throws AskFirst. */
const generationOf = (
  { clock }: RpcDeps,
  current: ProviderRecord,
  { turn, spec, validateOnly }: SpecChange,
): ProviderRecord => {
  demandFree(current, turn.holder, clock.now().getTime());
  const offered = offersOf(amountsOf(specOf(storedProvider(current))));
  const offers = offersOf(amountsOf(spec));
  const isGranted = holds(current, turn.grant);
  if (takesAway(offered, offers) && !isGranted && !validateOnly) {
    throw new AskFirst(current, lesserOf(offered, offers));
  }
  const generation = isGranted ? current.reserved.generation : nextGeneration(current);
  return { ...current, generation, reserved: unreserved(generation) };
};

const removeProvider = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, turn }: Turned<'deleteProvider'>,
): Promise<void> => {
  const { store, records, clock } = deps;
  const current = await lockProvider(deps, tx, { name: request.name, context });
  if (!current) {
    if (request.allowMissing) return;
    throw absent(request.name);
  }
  checkEtag(request.etag, etagOf(current, store.incarnation()));
  demandNoParts(current, await records.providers.countChildren(tx, current.uid));
  demandFree(current, turn.holder, clock.now().getTime());
  if (!holds(current, turn.grant)) throw new AskFirst(current);
  await records.providers.remove(tx, current);
  tx.audit({ action: 'provider.delete', ...auditOf(current), before: JSON.parse(current.doc) });
};

/** The newest state, locked; undefined when it is not there or not the caller's to see. */
const lockProvider = async (
  { records }: RpcDeps,
  tx: Tx,
  { name, context }: { name: string; context: HasValues },
): Promise<ProviderRecord | undefined> => {
  const { partition, provider } = parseProviderName(name, 'provider.name');
  const found = await records.providers.lock(tx, partition, provider);
  return found && accessOf(context).covers({ partition: found.partition }) ? found : undefined;
};

const demandNoParts = (record: ProviderRecord, children: number): void => {
  if (children === 0) return;
  const name = providerName(record);
  throw failedPrecondition(
    'IN_USE',
    `Cannot delete ${name}: ${children} providers are parts of it`,
    { metadata: { name, children: String(children) } },
  );
};

const auditOf = (record: ProviderRecord) => ({
  objectKind: 'provider',
  objectUid: record.uid,
  objectName: providerName(record),
  partition: record.partition,
});
