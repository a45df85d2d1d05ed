/** What all records of this service share: keys, JSON and the filter of what a caller may see. */
import type { Kysely } from 'kysely';
import { type RawBuilder, sql } from 'kysely';
import type { Access } from '../../runtime/access.ts';
import { ANY } from '../../runtime/names.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import type { Parent } from '../ports.ts';
import type { MachineTables } from './tables.ts';

export const db = (reader: Reader | Tx): Kysely<MachineTables> => reader.kysely<MachineTables>();

/** Names compare without regard to case. */
export const keyOf = (name: string): string => name.toLowerCase();

/**
 * The value of a row's `doc`, which this service wrote itself; columns that the row holds beside it
 * win. The one place where stored JSON becomes a type.
 */
export const readDoc = <T>(doc: string, columns: Partial<T>): T => ({
  ...(JSON.parse(doc) as T),
  ...columns,
});

export const writeDoc = (value: object): string => JSON.stringify(value);

const TRUE = sql<boolean>`1 = 1`;
const FALSE = sql<boolean>`1 = 0`;

const isIn = (column: string, values: Iterable<string>): RawBuilder<boolean> => {
  const keys = [...values].map(keyOf);
  return keys.length === 0 ? FALSE : sql<boolean>`${sql.ref(column)} in (${sql.join(keys)})`;
};

/** Rows with partition_key and project_key that the access covers. */
export const within = (access: Access): RawBuilder<boolean> => {
  if (access.everything) return TRUE;
  const pairs = access.pairs.map(
    ({ partition, project }) =>
      sql<boolean>`(partition_key = ${keyOf(partition)} and project_key = ${keyOf(project)})`,
  );
  return sql<boolean>`(${sql.join(
    [isIn('project_key', access.projects), isIn('partition_key', access.partitions), ...pairs],
    sql` or `,
  )})`;
};

/** Rows below the parent; "-" leaves a segment open. */
export const below = ({ partition, project }: Parent): RawBuilder<boolean> => {
  const parts = [
    ...(partition === ANY ? [] : [sql<boolean>`partition_key = ${keyOf(partition)}`]),
    ...(project === ANY ? [] : [sql<boolean>`project_key = ${keyOf(project)}`]),
  ];
  return parts.length === 0 ? TRUE : sql<boolean>`(${sql.join(parts, sql` and `)})`;
};
