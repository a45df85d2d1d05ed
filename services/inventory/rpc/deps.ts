/** What the handlers of this service share. */
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Access } from '../../runtime/access.ts';
import { actorOf } from '../../runtime/audit-actor.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type HasValues, requestKeyOf } from '../../runtime/context.ts';
import {
  type DomainError,
  type FieldViolation,
  invalidArgument,
  notFound,
} from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from '../../runtime/message-page.ts';
import { isUid, isWildcard, namePattern } from '../../runtime/names.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { openPage, type Page } from '../../store/sql/page.ts';
import { previewTransaction } from '../../store/sql/preview.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { keyOf, type PartitionRecord, type ProviderRecord } from '../domain/records.ts';
import type { CapacityDecisions, InventoryRecords, PropertyKinds } from '../ports.ts';

export type RpcDeps = {
  readonly store: SqlStore;
  readonly records: InventoryRecords;
  readonly capacity: CapacityDecisions;
  readonly kinds: PropertyKinds;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

type Mutation<D extends DescMessage> = {
  readonly response: D;
  readonly validateOnly?: boolean;
};

/**
 * Runs the work once per request id, or for validate_only without writing. All checks belong into
 * the work: a repeated request gets its stored answer though the object has changed or gone since.
 */
export const mutate = <D extends DescMessage>(
  { store }: RpcDeps,
  context: HasValues,
  { response, validateOnly }: Mutation<D>,
  work: (tx: Tx) => Promise<MessageShape<D>>,
): Promise<MessageShape<D>> => {
  const actor = actorOf(context);
  return validateOnly === true
    ? previewTransaction(store, actor, work)
    : store.transaction(requestKeyOf(context, response), actor, work);
};

export const pageOf = (
  { store }: RpcDeps,
  request: { readonly pageSize: number; readonly pageToken: string },
  otherArguments: unknown,
): Page =>
  openPage({
    pageSize: request.pageSize,
    pageToken: request.pageToken,
    otherArguments,
    incarnation: store.incarnation(),
    sizeDefault: PAGE_SIZE_DEFAULT,
    sizeMax: PAGE_SIZE_MAX,
  });

/** The ordering column of partitions and capabilities. */
export const nameKey = ({ id }: { readonly id: string }): readonly string[] => [keyOf(id)];

/** The ordering columns of providers and groups. */
export const placedKey = ({
  partition,
  id,
}: Pick<ProviderRecord, 'partition' | 'id'>): readonly string[] => [keyOf(partition), keyOf(id)];

/** The last segment of a name whose form the contract has checked. */
export const lastOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

const PARENT = namePattern('partitions/{partition}');

/** The partition of a parent whose form the contract has checked; undefined for the wildcard. */
export const partitionOf = (parent: string): string | undefined => {
  const partition = PARENT.parse(parent)?.partition ?? '';
  return isWildcard(partition) ? undefined : partition;
};

const PROVIDER = namePattern('partitions/{partition}/providers/{provider}');

/** Errors: invalid_argument naming the field when the text is no name of a single provider. */
export const parseProviderName = (name: string, field: string) => {
  const parsed = PROVIDER.parse(name);
  if (parsed && !isWildcard(parsed.partition) && !isWildcard(parsed.provider)) return parsed;
  throw badField(field, `"${name}" must look like partitions/<id>/providers/<id>`);
};

/**
 * Partitions whose providers and groups the caller may see; undefined: all. A grant on one project
 * within a partition says nothing about the partition's hardware.
 */
export const placedPartitions = (access: Access): readonly string[] | undefined =>
  access.everything ? undefined : [...access.partitions];

/**
 * The partitions that a list or watch of providers is about. Errors: not_found for one that there
 * is not.
 */
export const demandPartition = async (
  { store, records }: RpcDeps,
  parent: string,
): Promise<PartitionRecord | undefined> => {
  const partition = partitionOf(parent);
  if (partition === undefined) return undefined;
  const found = await store.read((reader) => records.partitions.find(reader, partition));
  if (found === undefined) throw absent(parent);
  return found;
};

/** A name that looks like a uid could never be found by its name. */
export const demandId = (field: string, id: string): void => {
  if (isUid(id)) throw badField(field, `"${id}" must not look like a uid`);
};

const CODE = /^[a-z0-9]+([._-][a-z0-9]+)*$/;

export const demandCode = (field: string, id: string): void => {
  demandId(field, id);
  if (CODE.test(id)) return;
  throw badField(field, `"${id}" is not a code such as cpu.x86.avx2 (lower case, dots)`);
};

export const absent = (name: string): DomainError =>
  notFound('NOT_FOUND', `"${name}" does not exist or is not visible to you`, {
    metadata: { name },
  });

export const badField = (field: string, description: string): DomainError =>
  refuseFields([{ field, description }]);

export const refuseFields = (violations: readonly FieldViolation[]): DomainError => {
  const said = violations.map((one) => `${one.field}: ${one.description}`).join('; ');
  const metadata = { field: violations[0]?.field ?? '' };
  return invalidArgument('INVALID_FIELD', said, { violations, metadata });
};
