/** What all records of this service share: keys, JSON, and rows that are found by name or uid. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { alreadyExists, type DomainError } from '../../runtime/errors.ts';
import { isUid } from '../../runtime/names.ts';
import { uniqueViolation } from '../../store/sql/store-error.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import type { RecordHead } from '../domain/record.ts';
import type { MetadataTables } from './tables.ts';

export const db = (reader: Reader | Tx): Kysely<MetadataTables> => reader.kysely<MetadataTables>();

/** Names compare without regard to case. */
export const keyOf = (name: string): string => name.toLowerCase();

/**
 * The value of a row's `doc`, which this service wrote itself; columns that the row holds beside it
 * win. The one place where stored JSON becomes a type.
 */
export const readDoc = <T>(doc: string, held: Partial<T>): T => ({
  ...(JSON.parse(doc) as T),
  ...held,
});

export const writeDoc = (value: object): string => JSON.stringify(value);

export const headRow = (record: RecordHead) => ({
  uid: record.uid,
  id_key: keyOf(record.id),
  version: record.version,
  doc: writeDoc(record),
});

/**
 * Rows of that name or uid. A uid is never a name of these nouns in practice, and wins if it were.
 */
export const called = (idOrUid: string): RawBuilder<boolean> =>
  isUid(idOrUid)
    ? sql<boolean>`uid = ${idOrUid.toLowerCase()}`
    : sql<boolean>`id_key = ${keyOf(idOrUid)}`;

/** Runs an insert; a taken name becomes already_exists, any other violation stays what it is. */
export const insertNamed = async (
  insert: Promise<unknown>,
  name: string,
  column = 'id_key',
): Promise<void> => {
  try {
    await insert;
  } catch (error) {
    if (uniqueViolation(error)?.columns.includes(column) !== true) throw error;
    throw taken(name, error);
  }
};

const taken = (name: string, cause: unknown): DomainError =>
  alreadyExists('ALREADY_EXISTS', `"${name}" exists already`, { metadata: { name }, cause });
