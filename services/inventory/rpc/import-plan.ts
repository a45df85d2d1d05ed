/**
 * What a batch would write: reads everything that its items name in a few statements, then judges
 * one item after the other. Nothing is written here.
 */
import { create, type JsonObject } from '@bufbuild/protobuf';
import {
  type Provider,
  ProviderSchema,
  type ProviderSpec,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { FieldChange } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { accessFor } from '../../runtime/access.ts';
import { type HasValues, identityOf } from '../../runtime/context.ts';
import { type DomainError, isDomainError } from '../../runtime/errors.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { isUid } from '../../runtime/names.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { keyOf, type ProviderRecord, providerName } from '../domain/records.ts';
import type { ProviderWrite } from '../ports.ts';
import { badField, type RpcDeps } from './deps.ts';
import { type Ground, type Item, judgeChanged, judgeNew } from './import-judge.ts';
import { failed, type Result, resultOf } from './import-result.ts';
import type { In } from './provider-handlers.ts';
import { providerDoc, specOf, storedProvider } from './provider-message.ts';
import { keepReferences, type Parent, parentOf, type References } from './provider-rules.ts';

export type Planned = ProviderWrite & {
  readonly index: number;
  readonly json: JsonObject;
  /** The document before; absent: it is new. */
  readonly before?: string;
};

/** An item that the scheduler has to decide first. */
export type Alone = {
  readonly index: number;
  readonly record: ProviderRecord;
  readonly after: Provider;
  readonly changes: readonly FieldChange[];
};

export type Plan = {
  /** One per item. */
  readonly results: readonly Result[];
  readonly writes: readonly Planned[];
  readonly alone: readonly Alone[];
};

type Wanted = {
  readonly partition: string;
  readonly request: In<'batchUpsertProviders'>;
  readonly context: HasValues;
  readonly kinds: ReadonlyMap<string, string>;
  readonly settled: ReadonlyMap<number, Result>;
};

const MASK = resourceMask(ProviderSchema);

export const planBatch = async (deps: RpcDeps, tx: Tx, wanted: Wanted): Promise<Plan> => {
  const results = new Map(wanted.settled);
  const items = await readItems(deps, tx, { wanted, results });
  const ground = await groundOf(deps, tx, { wanted, items });
  const writes: Planned[] = [];
  const alone: Alone[] = [];
  for (const item of items) {
    const name = providerName({
      partition: wanted.partition,
      id: item.found?.record.id ?? item.id,
    });
    try {
      const judged = item.found ? judgeChanged(item, item.found, ground) : judgeNew(item, ground);
      results.set(item.index, resultOf(name, judged.outcome, judged.changes));
      if (judged.write !== undefined) writes.push({ ...judged.write, index: item.index });
      if (judged.isAlone) alone.push(aloneOf(item, judged.changes));
    } catch (error) {
      results.set(item.index, failed(name, expected(error)));
    }
  }
  return { results: wanted.request.items.map((_, at) => demanded(results.get(at))), writes, alone };
};

const aloneOf = ({ index, found, after }: Item, changes: readonly FieldChange[]): Alone => {
  if (found === undefined) throw new Error('A new provider takes nothing away');
  return { index, record: found.record, after, changes };
};

const demanded = (result: Result | undefined): Result => {
  if (result === undefined) throw new Error('An item has no result');
  return result;
};

const expected = (error: unknown): DomainError => {
  if (isDomainError(error) && error.kind !== 'internal') return error;
  throw error;
};

type Reading = { readonly wanted: Wanted; readonly results: Map<number, Result> };

/** Those that have no result yet. What is so already gets one here: nothing is read for it. */
const readItems = async (
  { records }: RpcDeps,
  tx: Tx,
  { wanted, results }: Reading,
): Promise<readonly Item[]> => {
  const { partition, request } = wanted;
  const ids = new Map<string, number>();
  for (const [index, { providerId }] of request.items.entries()) {
    if (results.has(index)) continue;
    const wrong = wrongId(providerId, ids);
    if (wrong === undefined) ids.set(keyOf(providerId), index);
    else results.set(index, failed(providerName({ partition, id: providerId }), wrong));
  }
  const locked = await records.providers.lockAll(tx, partition, [...ids.keys()]);
  const byKey = new Map(locked.map((record) => [keyOf(record.id), record]));
  const items: Item[] = [];
  for (const [key, index] of ids) {
    const item = request.items[index];
    const given = item?.provider ?? create(ProviderSchema);
    const record = byKey.get(key);
    const id = item?.providerId ?? key;
    const found = record && { record, stored: storedProvider(record) };
    const after = found === undefined ? given : laidOver(request, given, found.stored);
    if (record !== undefined && providerDoc(after) === record.doc) {
      results.set(index, resultOf(providerName(record), 'unchanged'));
    } else items.push({ index, id, after, ...(found && { found }) });
  }
  return items;
};

const ID = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

const wrongId = (id: string, before: ReadonlyMap<string, number>): DomainError | undefined => {
  if (!ID.test(id)) {
    return badField('provider_id', `"${id}" is no id: letters, digits and inner . _ -, at most 63`);
  }
  if (isUid(id)) return badField('provider_id', `"${id}" must not look like a uid`);
  const first = before.get(keyOf(id));
  if (first === undefined) return undefined;
  return badField('provider_id', `"${id}" stands here twice; items[${first}] has it too`);
};

/** What an item makes of a provider that is there. */
const laidOver = (
  { updateMask }: In<'batchUpsertProviders'>,
  given: Provider,
  before: Provider,
): Provider => {
  const after = updateMask === undefined ? given : MASK.apply(updateMask, given, before);
  const [bmc, had] = [after.spec?.bmc, before.spec?.bmc];
  const keepsPin =
    bmc?.certificateSha256 === '' && had?.certificateSha256 !== '' && bmc.address === had?.address;
  if (!keepsPin || after.spec === undefined) return after;
  const certificateSha256 = had?.certificateSha256 ?? '';
  return { ...after, spec: { ...after.spec, bmc: { ...bmc, certificateSha256 } } };
};

type Grounding = { readonly wanted: Wanted; readonly items: readonly Item[] };

const groundOf = async (deps: RpcDeps, tx: Tx, { wanted, items }: Grounding): Promise<Ground> => {
  const { partition, context, kinds, request } = wanted;
  const specs = items.map(({ after }) => specOf(after));
  const kept = await keepReferences(deps, tx, { partition, specs });
  const news = items.filter(({ found }) => found === undefined);
  const updatable = accessFor(identityOf(context), 'provider.update');
  return {
    deps,
    partition,
    kinds,
    nowMs: deps.clock.now().getTime(),
    references: request.validateOnly ? assumed(kept, request.assumption) : kept,
    parents: await parentsOf(deps, tx, { partition, specs, news }),
    assumedParents: new Set(
      request.validateOnly ? (request.assumption?.providers ?? []).map(keyOf) : [],
    ),
    news: new Map(news.map((item) => [keyOf(item.id), item])),
    judged: new Map(),
    seesAll: updatable.covers({ partition }),
    caller: identityOf(context),
  };
};

const assumed = (
  kept: References,
  assumption: In<'batchUpsertProviders'>['assumption'],
): References => {
  if (assumption === undefined) return kept;
  const { groups, capabilities, resourceTypes } = assumption;
  const { places } = kept;
  const added = groups.filter((id) => !places.groups.has(keyOf(id)));
  return {
    capabilities: new Set([...kept.capabilities, ...capabilities.map(keyOf)]),
    resourceTypes: new Set([...kept.resourceTypes, ...resourceTypes.map(keyOf)]),
    places: {
      ...places,
      groups: new Map([...places.groups, ...added.map((id) => [keyOf(id), id] as const)]),
      racks: new Set([...places.racks, ...added.map(keyOf)]),
    },
  };
};

type Parenting = {
  readonly partition: string;
  readonly specs: readonly ProviderSpec[];
  readonly news: readonly Item[];
};

/** Those that are there, each read once, by the name that names it; or why it cannot be one. */
const parentsOf = async (
  deps: RpcDeps,
  tx: Tx,
  { partition, specs, news }: Parenting,
): Promise<ReadonlyMap<string, Parent | DomainError>> => {
  const fresh = new Set(news.map(({ id }) => keyOf(providerName({ partition, id }))));
  const names = new Set(specs.map(({ parentProvider }) => parentProvider));
  const parents = new Map<string, Parent | DomainError>();
  for (const parentName of names) {
    if (parentName === '' || fresh.has(keyOf(parentName))) continue;
    try {
      // A new provider has nothing below it, whatever its uid will be.
      const parent = await parentOf(deps, tx, { place: { uid: '', partition }, parentName });
      if (parent !== undefined) parents.set(parentName, parent);
    } catch (error) {
      parents.set(parentName, expected(error));
    }
  }
  return parents;
};
