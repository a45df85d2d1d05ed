/**
 * node:sqlite as Kysely's SQLite driver wants it, with prepared statements kept. The dialect that
 * comes with the ORM prepares anew for every query: half of the time of a small one, and memory
 * outside the heap that is freed only when the collector finds the statement.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { SqliteDatabase, SqliteStatement } from 'kysely';

/** A service has some hundred texts; lists of values make more of them. */
const STATEMENTS_MAX = 256;
const READS = /^\s*(?:select|pragma|explain|with)|\breturning\b/i;
/** Others (pragma, schema) run once, or must not outlive what they change. */
const KEPT = /^\s*(?:select|insert|update|delete|with|begin|commit|rollback)\b/i;

/** Opens the file (or `:memory:`). Errors: those of node:sqlite. */
export const openSqliteDatabase = (file: string): SqliteDatabase => {
  const database = new DatabaseSync(file);
  // In the order of their last use, the oldest first.
  const kept = new Map<string, SqliteStatement>();
  return {
    prepare: (sql) => {
      const known = kept.get(sql);
      if (known === undefined) {
        const made = statementOf(sql, database.prepare(sql));
        if (KEPT.test(sql)) keep(kept, sql, made);
        return made;
      }
      kept.delete(sql);
      kept.set(sql, known);
      return known;
    },
    close: () => {
      kept.clear();
      database.close();
    },
  };
};

const keep = (kept: Map<string, SqliteStatement>, sql: string, made: SqliteStatement): void => {
  kept.set(sql, made);
  const oldest = kept.keys().next().value;
  if (kept.size > STATEMENTS_MAX && oldest !== undefined) kept.delete(oldest);
};

const statementOf = (sql: string, statement: StatementSync): SqliteStatement => ({
  reader: READS.test(sql),
  all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
  run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
  iterate: (parameters) =>
    statement.iterate(...(parameters as SQLInputValue[])) as IterableIterator<unknown>,
});
