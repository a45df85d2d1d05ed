/**
 * node:sqlite as Kysely's own SQLite driver expects a database, with the statements kept: compiling
 * one again each time costs as much as running it. Bounded, as lists of values make texts of many
 * lengths. A change of the schema is SQLite's to notice (sqlite3_prepare_v2).
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { SqliteDatabase } from 'kysely';

const KEPT_MAX = 512;

export const openStatements = (file: string): SqliteDatabase => {
  const database = new DatabaseSync(file);
  const kept = new Map<string, Kept>();
  return {
    prepare: (sql) => {
      const known = kept.get(sql);
      if (known !== undefined) {
        // The last ones asked for stand last, and go last.
        kept.delete(sql);
        kept.set(sql, known);
        return known;
      }
      const made = keep(sql, database.prepare(sql));
      if (isKept(sql)) kept.set(sql, made);
      if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value ?? '');
      return made;
    },
    close: () => {
      kept.clear();
      database.close();
    },
  };
};

type Kept = ReturnType<SqliteDatabase['prepare']>;

const READS = /^\s*(?:select|pragma|explain|with)/i;
const RETURNS = /\breturning\b/i;
/** What changes the schema is run once. */
const CHANGES_SCHEMA = /^\s*(?:create|alter|drop|pragma|vacuum|attach|detach)/i;

const isKept = (sql: string): boolean => !CHANGES_SCHEMA.test(sql);

const keep = (sql: string, statement: StatementSync): Kept => ({
  reader: READS.test(sql) || RETURNS.test(sql),
  all: (values) => statement.all(...inputs(values)),
  run: (values) => statement.run(...inputs(values)),
  iterate: () => {
    throw new Error('Streaming is not supported: page through the rows instead');
  },
});

/** Kysely says nothing of their types; node:sqlite refuses what it cannot bind. */
const inputs = (values: readonly unknown[]) => values as readonly SQLInputValue[];
