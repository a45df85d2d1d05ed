/** Judges one item of a batch, by what was read for all of them. Reads nothing itself. */
import { equals, type JsonObject } from '@bufbuild/protobuf';
import {
  type Provider,
  type ProviderSpec,
  ProviderSpecSchema,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { FieldChange } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { type DomainError, isDomainError } from '../../runtime/errors.ts';
import type { Identity } from '../../runtime/identity.ts';
import { offersOf, takesAway } from '../domain/amounts.ts';
import { badParent, TREE_LEVELS_MAX } from '../domain/provider-tree.ts';
import { keyOf, newHead, type ProviderRecord, providerName } from '../domain/records.ts';
import { demandFree, neverReserved, nextGeneration, unreserved } from '../domain/reservation.ts';
import type { ProviderWrite } from '../ports.ts';
import { badField, type RpcDeps } from './deps.ts';
import { demandKinds } from './provider-change.ts';
import { fieldChanges } from './provider-diff.ts';
import { amountsOf, providerJson, specOf } from './provider-message.ts';
import {
  demandSpec,
  type Judged,
  judgedSpec,
  type Parent,
  type References,
} from './provider-rules.ts';

/** A provider that is there, locked. */
export type Found = { readonly record: ProviderRecord; readonly stored: Provider };

/** An item that is not settled, with what it would make of its provider. */
export type Item = {
  readonly index: number;
  readonly id: string;
  /** Absent: it is new. */
  readonly found?: Found;
  readonly after: Provider;
};

/** What was read for a batch. */
export type Ground = {
  readonly deps: RpcDeps;
  readonly partition: string;
  readonly kinds: ReadonlyMap<string, string>;
  readonly nowMs: number;
  readonly references: References;
  /** By the name by which items name them. */
  readonly parents: ReadonlyMap<string, Parent | DomainError>;
  /** Keys of what counts as there in a preview. */
  readonly assumedParents: ReadonlySet<string>;
  /** Items that make new providers, by the key of their id. */
  readonly news: ReadonlyMap<string, Item>;
  /** What became of those so far; undefined while one is being judged. */
  readonly judged: Map<Item, Verdict | DomainError | undefined>;
  readonly seesAll: boolean;
  readonly caller: Identity;
};

export type Verdict = {
  readonly outcome: 'created' | 'updated' | 'unchanged';
  readonly changes: readonly FieldChange[];
  readonly write?: ProviderWrite & { readonly json: JsonObject; readonly before?: string };
  /** The scheduler has to decide it first. */
  readonly isAlone?: true;
  /** How many levels are above it. */
  readonly levelsAbove?: number;
};

/** One that others of the batch are parts of was judged with them. */
export const judgeNew = (item: Item, ground: Ground): Verdict => {
  if (ground.judged.has(item)) {
    const known = ground.judged.get(item);
    if (known === undefined) throw badParent('the provider would become its own ancestor');
    if (isDomainError(known)) throw known;
    return known;
  }
  ground.judged.set(item, undefined);
  try {
    const verdict = makeNew(item, ground);
    ground.judged.set(item, verdict);
    return verdict;
  } catch (error) {
    if (isDomainError(error)) ground.judged.set(item, error);
    throw error;
  }
};

const makeNew = (item: Item, ground: Ground): Verdict => {
  const { deps, partition, kinds, nowMs, references } = ground;
  const { id, after } = item;
  const place = { uid: deps.random.uid(), partition };
  const judging = { place, given: after, caller: ground.caller };
  demandKinds(after, kinds);
  demandSpec(judging, references);
  const { parent, levelsAbove } = parentIn(item, ground);
  const { spec, parts, parentUid, rootUid } = judgedSpec(judging, references, parent);
  const json = providerJson({ ...after, spec });
  const record: ProviderRecord = {
    ...newHead({ ...place, id, nowMs }),
    ...place,
    parentUid,
    rootUid,
    reserved: neverReserved(1),
    observed: '',
    doc: JSON.stringify(json),
  };
  const write = { record, parts, json, isNew: true };
  return { outcome: 'created', changes: [], write, levelsAbove };
};

type Above = { readonly parent: Parent | undefined; readonly levelsAbove: number };

const parentIn = ({ after }: Item, ground: Ground): Above => {
  const { partition, parents, news, assumedParents } = ground;
  const name = specOf(after).parentProvider;
  if (name === '') return { parent: undefined, levelsAbove: 0 };
  const prefix = providerName({ partition, id: '' });
  const id = keyOf(name).startsWith(keyOf(prefix)) ? keyOf(name).slice(prefix.length) : '';
  const beside = news.get(id);
  if (beside !== undefined) return besideIn(beside, ground);
  const parent = parents.get(name);
  if (parent !== undefined && !isDomainError(parent)) return { parent, levelsAbove: 1 };
  if (assumedParents.has(id)) return { parent: undefined, levelsAbove: 1 };
  throw parent ?? badParent(`"${name}" is no provider of this partition`);
};

/** The parent is made in the same batch. */
const besideIn = (item: Item, ground: Ground): Above => {
  const { partition } = ground;
  const verdict = verdictOf(item, ground);
  const name = providerName({ partition, id: item.id });
  if (verdict?.write === undefined) throw badParent(`"${name}" could not be created`);
  const levelsAbove = 1 + (verdict.levelsAbove ?? 0);
  if (levelsAbove >= TREE_LEVELS_MAX) {
    throw badParent(`the tree would have more than ${TREE_LEVELS_MAX} levels`);
  }
  const { record } = verdict.write;
  return { parent: { record, rootUid: record.rootUid }, levelsAbove };
};

const verdictOf = (item: Item, ground: Ground): Verdict | undefined => {
  try {
    return judgeNew(item, ground);
  } catch (error) {
    if (isDomainError(error) && error.metadata.field !== 'spec.parent_provider') return undefined;
    throw error;
  }
};

export const judgeChanged = (item: Item, found: Found, ground: Ground): Verdict => {
  const { kinds, references } = ground;
  const { record: current, stored } = found;
  const { after } = item;
  const before = specOf(stored);
  if (specOf(after).type !== before.type) throw badField('spec.type', 'cannot be changed');
  const place = { uid: current.uid, partition: current.partition };
  const judging = { place, given: after, before, caller: ground.caller };
  demandKinds(after, kinds);
  demandSpec(judging, references);
  const { parent } = parentIn(item, ground);
  const judged = judgedSpec(judging, references, parent);
  const json = providerJson({ ...after, spec: judged.spec });
  const doc = JSON.stringify(json);
  const changes = fieldChanges(stored, { ...after, spec: judged.spec }, ground.seesAll);
  if (doc === current.doc) return { outcome: 'unchanged', changes: [] };
  if (judged.parentUid !== current.parentUid || narrows(before, judged.spec)) {
    demandMovable(item, ground);
    return { outcome: 'updated', changes, isAlone: true };
  }
  const write = writeOf(found, { judged, doc, json }, ground);
  return { outcome: 'updated', changes, write };
};

/** What the scheduler decides is written before the rest of the batch, so its parent is there. */
const demandMovable = ({ after }: Item, { news }: Ground): void => {
  const name = specOf(after).parentProvider;
  if (!news.has(keyOf(name.slice(name.lastIndexOf('/') + 1)))) return;
  throw badParent(`"${name}" is made in the same batch; repeat the import once it is there`);
};

const narrows = (before: ProviderSpec, after: ProviderSpec): boolean =>
  takesAway(offersOf(amountsOf(before)), offersOf(amountsOf(after)));

type Made = { readonly judged: Judged; readonly doc: string; readonly json: JsonObject };

/** Errors: aborted BUSY while another change of what it offers is under way. */
const writeOf = (
  { record: current, stored }: Found,
  { judged, doc, json }: Made,
  { nowMs }: Ground,
): NonNullable<Verdict['write']> => {
  const isSame = equals(ProviderSpecSchema, specOf(stored), judged.spec);
  if (!isSame) demandFree(current, '', nowMs);
  const generation = isSame ? current.generation : nextGeneration(current);
  const record: ProviderRecord = {
    ...current,
    ...(!isSame && { generation, reserved: unreserved(current, generation) }),
    version: current.version + 1,
    updateMs: nowMs,
    doc,
  };
  return { record, parts: judged.parts, json, before: current.doc, isNew: false };
};
