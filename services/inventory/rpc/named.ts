/**
 * Changes of what is defined for the whole installation under one name: capabilities, resource
 * types, distance types and partitions. What differs between them is told by their Noun.
 */
import { create, type DescMessage, equals, type MessageShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type NamedRecord, newHead } from '../domain/records.ts';
import { absent, badField, lastOf, type RpcDeps } from './deps.ts';

export type Stored<Message> = {
  readonly doc: (message: Message) => string;
  readonly read: (record: NamedRecord) => Message;
};

export type Noun<Message> = Stored<Message> & {
  /** What audit rows call it. */
  readonly kind: string;
  /** First segment of its names. */
  readonly collection: string;
  readonly nameOf: (record: NamedRecord) => string;
  readonly records: {
    readonly insert: (tx: Tx, record: NamedRecord) => Promise<void>;
    readonly save: (tx: Tx, record: NamedRecord) => Promise<void>;
    readonly lock: (tx: Tx, idOrUid: string) => Promise<NamedRecord | undefined>;
    readonly remove: (tx: Tx, record: NamedRecord) => Promise<void>;
  };
  /** Whether what agents and services go by is the same. */
  readonly isSameSpec: (before: Message, after: Message) => boolean;
};

/** What every message of such an object has. */
export const headFields = ({ store }: RpcDeps, record: NamedRecord) => ({
  uid: record.uid,
  etag: etagOf(record, store.incarnation()),
  generation: BigInt(record.generation),
  createTime: timestampFromMs(record.createMs),
  updateTime: timestampFromMs(record.updateMs),
});

export const sameSpec = <D extends DescMessage>(
  schema: D,
  before: MessageShape<D> | undefined,
  after: MessageShape<D> | undefined,
): boolean => equals(schema, before ?? create(schema), after ?? create(schema));

const auditOf = <M>({ kind, nameOf }: Noun<M>, record: NamedRecord) => ({
  objectKind: kind,
  objectUid: record.uid,
  objectName: nameOf(record),
  ...(kind === 'partition' && { partition: record.id }),
});

type Creation<M> = { readonly id: string; readonly given: M };

export const createNamed = async <M>(
  { random, clock }: RpcDeps,
  tx: Tx,
  { noun, id, given }: Creation<M> & { readonly noun: Noun<M> },
): Promise<NamedRecord> => {
  const record: NamedRecord = {
    ...newHead({ uid: random.uid(), id, nowMs: clock.now().getTime() }),
    doc: noun.doc(given),
  };
  await noun.records.insert(tx, record);
  tx.audit({ action: `${noun.kind}.create`, ...auditOf(noun, record), after: parsed(record) });
  return record;
};

type Update<M> = {
  readonly noun: Noun<M>;
  readonly name: string;
  readonly etag: string;
  /** The new state of the message; refuses what cannot be. */
  readonly change: (before: M, record: NamedRecord) => M | Promise<M>;
};

/** Errors: not_found, aborted ETAG_MISMATCH, those of `change`. */
export const updateNamed = async <M>(
  { store, clock }: RpcDeps,
  tx: Tx,
  { noun, name, etag, change }: Update<M>,
): Promise<NamedRecord> => {
  demandName(noun, name);
  const current = await noun.records.lock(tx, lastOf(name));
  if (!current) throw absent(name);
  checkEtag(etag, etagOf(current, store.incarnation()));
  const before = noun.read(current);
  const after = await change(before, current);
  const record: NamedRecord = {
    ...current,
    version: current.version + 1,
    generation: current.generation + (noun.isSameSpec(before, after) ? 0 : 1),
    updateMs: clock.now().getTime(),
    doc: noun.doc(after),
  };
  await noun.records.save(tx, record);
  tx.audit({
    action: `${noun.kind}.update`,
    ...auditOf(noun, record),
    before: parsed(current),
    after: parsed(record),
  });
  return record;
};

const demandName = <M>({ kind, collection }: Noun<M>, name: string): void => {
  const [first, id, ...more] = name.split('/');
  if (first === collection && id && more.length === 0) return;
  throw badField(`${kind}.name`, `"${name}" must look like ${collection}/<id>`);
};

type Deletion<M> = {
  readonly noun: Noun<M>;
  readonly request: {
    readonly name: string;
    readonly etag: string;
    readonly allowMissing: boolean;
  };
  /** Refuses when something needs it still. */
  readonly demandUnused: (record: NamedRecord) => Promise<void>;
};

/** Errors: not_found unless that is allowed, aborted ETAG_MISMATCH, those of `demandUnused`. */
export const deleteNamed = async <M>(
  { store }: RpcDeps,
  tx: Tx,
  { noun, request, demandUnused }: Deletion<M>,
): Promise<void> => {
  const record = await noun.records.lock(tx, lastOf(request.name));
  if (!record) {
    if (request.allowMissing) return;
    throw absent(request.name);
  }
  checkEtag(request.etag, etagOf(record, store.incarnation()));
  await demandUnused(record);
  await noun.records.remove(tx, record);
  tx.audit({ action: `${noun.kind}.delete`, ...auditOf(noun, record), before: parsed(record) });
};

const parsed = ({ doc }: NamedRecord): unknown => JSON.parse(doc);
