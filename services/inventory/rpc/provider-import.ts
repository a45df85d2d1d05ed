/**
 * Many providers at once, each for itself. What can be decided here is written in one transaction.
 * An item that cannot be written leaves that transaction, which is then done again without it; an
 * item that takes capacity away is first asked of the scheduler and written alone. So a batch goes
 * through a few rounds at most, and a repeat of it finds what was done unchanged.
 */
import { create } from '@bufbuild/protobuf';
import {
  ProviderSchema,
  ProviderSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type BatchUpsertProvidersResponse,
  BatchUpsertProvidersResponseSchema,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { actorOf } from '../../runtime/audit-actor.ts';
import { accessOf, type HasValues } from '../../runtime/context.ts';
import { aborted, isDomainError } from '../../runtime/errors.ts';
import { resourceMask } from '../../runtime/mask.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { identifierTaken } from '../domain/identifiers.ts';
import { providerName } from '../domain/records.ts';
import { type Attempt, decidedFirst } from './decided-first.ts';
import { absent, badField, mutate, partitionOf, type RpcDeps } from './deps.ts';
import { type Alone, type Planned, planBatch } from './import-plan.ts';
import { failed, type Result, resultOf } from './import-result.ts';
import { writeProvider } from './provider-change.ts';
import type { Asking, Handle, In } from './provider-handlers.ts';
import { auditOf } from './provider-locks.ts';

type Import = { readonly batchUpsertProviders: Handle<'batchUpsertProviders'> };

const MASK = resourceMask(ProviderSchema);
const KIND = 'runm.provider';
const NO_KINDS: ReadonlyMap<string, string> = new Map();

/** Each round settles an item at least, and the second most often the last of them. */
const ROUNDS_MAX = 20;

export const providerImport = (deps: RpcDeps): Import => ({
  batchUpsertProviders: async (request, context) => {
    const { updateMask, validateOnly, items } = request;
    if (updateMask !== undefined) MASK.check(updateMask);
    const hasProperties = items.some(
      ({ provider }) => Object.keys(provider?.properties ?? {}).length > 0,
    );
    const kinds = hasProperties ? await deps.kinds.of(KIND) : NO_KINDS;
    const settled = new Map<number, Result>();
    const response = BatchUpsertProvidersResponseSchema;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      try {
        return await mutate(deps, context, { response, validateOnly }, (tx) =>
          writeBatch(deps, tx, { request, context, kinds, settled }),
        );
      } catch (error) {
        if (error instanceof Unwritable)
          for (const [at, one] of error.results) settled.set(at, one);
        else if (error instanceof DecideFirst) {
          for (const one of error.items) {
            settled.set(one.index, await writeAlone(deps, context, { one, kinds }));
          }
        } else throw error;
      }
    }
    throw aborted('BUSY', 'Others kept changing the same providers; repeat the batch', {
      retryAfterMs: 1_000,
    });
  },
});

type Batch = Asking<'batchUpsertProviders'> & {
  readonly kinds: ReadonlyMap<string, string>;
  /** What is decided already, by the index of the item. */
  readonly settled: ReadonlyMap<number, Result>;
};

/** Leaves the transaction, which is done again with these items settled. */
class Unwritable extends Error {
  readonly results: ReadonlyMap<number, Result>;

  constructor(results: ReadonlyMap<number, Result>) {
    super('Some items cannot be written');
    this.results = results;
  }
}

/** Leaves the transaction to ask the scheduler of these. */
class DecideFirst extends Error {
  readonly items: readonly Alone[];

  constructor(items: readonly Alone[]) {
    super('Some items have to be decided first');
    this.items = items;
  }
}

const writeBatch = async (
  deps: RpcDeps,
  tx: Tx,
  { request, context, kinds, settled }: Batch,
): Promise<BatchUpsertProvidersResponse> => {
  const { records } = deps;
  const asked = partitionOf(request.parent);
  if (asked === undefined) throw badField('parent', 'must name one partition');
  const partition = await records.partitions.keep(tx, asked);
  if (!partition || !accessOf(context).covers({ partition: partition.id })) {
    throw absent(request.parent);
  }
  const plan = await planBatch(deps, tx, {
    partition: partition.id,
    request,
    kinds,
    settled,
    context,
  });
  if (plan.alone.length > 0 && !request.validateOnly) throw new DecideFirst(plan.alone);
  const refusals = await records.providers.writeAll(tx, plan.writes);
  if (refusals.length > 0) throw unwritable(plan.writes, refusals);
  for (const write of plan.writes) audit(tx, write);
  return create(BatchUpsertProvidersResponseSchema, { results: [...plan.results] });
};

type Refusals = Awaited<ReturnType<RpcDeps['records']['providers']['writeAll']>>;

/**
 * A name that somebody took meanwhile settles nothing: the next round finds the provider there. Nor
 * does what an item has that is refused itself: in the next round it is free. As of two items the
 * first has it, the first that is refused is always settled.
 */
const unwritable = (writes: readonly Planned[], refusals: Refusals): Unwritable => {
  const byUid = new Map(writes.map((write) => [write.record.uid, write]));
  const refused = new Set(refusals.map(({ uid }) => uid));
  const results = new Map<number, Result>();
  for (const { uid, taken } of refusals) {
    const first = taken.find(({ holder }) => !refused.has(holder.uid));
    const write = byUid.get(uid);
    if (write === undefined || first === undefined) continue;
    const name = providerName(write.record);
    results.set(write.index, failed(name, identifierTaken(write.record, first)));
  }
  return new Unwritable(results);
};

const audit = (tx: Tx, { record, json, before }: Planned): void =>
  tx.audit({
    action: before === undefined ? 'provider.create' : 'provider.update',
    ...auditOf(record),
    ...(before !== undefined && { before: JSON.parse(before) }),
    after: json,
  });

/** Everything that a provider declares; its type cannot be changed and is checked. */
const WHOLE = [
  ...ProviderSpecSchema.fields.map(({ name }) => `spec.${name}`),
  'properties',
  'tags',
];

type Writing = { readonly one: Alone; readonly kinds: ReadonlyMap<string, string> };

/** As UpdateProvider does it. */
const writeAlone = async (
  deps: RpcDeps,
  context: HasValues,
  { one, kinds }: Writing,
): Promise<Result> => {
  const name = providerName(one.record);
  const request: In<'updateProvider'> = {
    $typeName: 'runmachine.inventory.v1.UpdateProviderRequest',
    provider: { ...one.after, name, etag: '' },
    updateMask: { $typeName: 'google.protobuf.FieldMask', paths: WHOLE },
    requestId: '',
    validateOnly: false,
  };
  const attempt: Attempt<unknown> = (turn) =>
    deps.store.transaction(undefined, actorOf(context), (tx) =>
      writeProvider(deps, tx, { request, context, kinds, turn }),
    );
  try {
    await decidedFirst(deps, context, attempt);
    return resultOf(name, 'updated', one.changes);
  } catch (error) {
    if (isDomainError(error) && error.kind !== 'internal') return failed(name, error);
    throw error;
  }
};
