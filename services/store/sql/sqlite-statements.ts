/**
 * node:sqlite as Kysely wants its answers, with the statements kept: compiling one again each time
 * costs as much as running it. Bounded, as lists of values make texts of many lengths. A change of
 * the schema is SQLite's to notice (sqlite3_prepare_v2).
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { QueryResult } from 'kysely';

export type Value = SQLInputValue;

export type Statements = {
  readonly run: (sql: string, values: readonly Value[]) => QueryResult<unknown>;
  readonly close: () => void;
};

const KEPT_MAX = 512;

export const openStatements = (file: string): Statements => {
  const database = new DatabaseSync(file);
  const kept = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const known = kept.get(sql);
    if (known !== undefined) {
      // The last ones asked for stand last, and go last.
      kept.delete(sql);
      kept.set(sql, known);
      return known;
    }
    const made = database.prepare(sql);
    if (isKept(sql)) kept.set(sql, made);
    if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value ?? '');
    return made;
  };
  return {
    run: (sql, values) => {
      const statement = prepare(sql);
      if (READS.test(sql) || RETURNS.test(sql)) return { rows: statement.all(...values) };
      const { changes, lastInsertRowid } = statement.run(...values);
      return {
        insertId: BigInt(lastInsertRowid),
        numAffectedRows: BigInt(changes),
        rows: [],
      };
    },
    close: () => {
      kept.clear();
      database.close();
    },
  };
};

const READS = /^\s*(?:select|pragma|explain|with)/i;
const RETURNS = /\breturning\b/i;
/** What changes the schema is run once. */
const CHANGES_SCHEMA = /^\s*(?:create|alter|drop|pragma|vacuum|attach|detach)/i;

const isKept = (sql: string): boolean => !CHANGES_SCHEMA.test(sql);
