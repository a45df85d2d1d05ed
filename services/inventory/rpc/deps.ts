import type { Access } from '../../runtime/access.ts';
import type { Clock } from '../../runtime/clock.ts';
import { callOf, type HasValues } from '../../runtime/context.ts';
import { invalidArgument, notFound } from '../../runtime/errors.ts';
import { isWildcard } from '../../runtime/names.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { openPage, type Page } from '../../store/sql/page.ts';
import type { Actor } from '../../store/sql/transaction.ts';
import type { CapacityDecisions, InventoryRecords } from '../ports.ts';

export type RpcDeps = {
  readonly store: SqlStore;
  readonly records: InventoryRecords;
  readonly capacity: CapacityDecisions;
  readonly clock: Clock;
  readonly random: Random;
};

const PAGE_DEFAULT = 100;
const PAGE_MAX = 1000;

export const actorOf = (context: HasValues): Actor => {
  const { identity, actor, requestId } = callOf(context);
  return actor.principal === identity.principal
    ? { principal: identity.principal, requestId }
    : { principal: actor.principal, onBehalfOf: identity.principal, requestId };
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
    sizeDefault: PAGE_DEFAULT,
    sizeMax: PAGE_MAX,
  });

/** Partitions that the caller sees; undefined: all. */
export const visiblePartitions = (access: Access): readonly string[] | undefined => {
  if (access.everything) return undefined;
  return [...new Set([...access.partitions, ...access.pairs.map((pair) => pair.partition)])];
};

export const lastOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** Partition of "partitions/{p}" or of a name below it; empty for the wildcard. */
export const partitionOf = (name: string): string => {
  const partition = name.split('/')[1] ?? '';
  return isWildcard(partition) ? '' : partition;
};

export const absent = (name: string) =>
  notFound('NOT_FOUND', `"${name}" does not exist`, { metadata: { name } });

export const badField = (field: string, description: string) =>
  invalidArgument('INVALID_FIELD', `${field}: ${description}`, {
    violations: [{ field, description }],
  });
