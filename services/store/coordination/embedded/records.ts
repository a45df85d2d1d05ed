import type { DatabaseSync } from 'node:sqlite';
import { compacted, futureRevision } from '../failures.ts';
import {
  type KeyValue,
  RANGE_LIMIT_DEFAULT,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type WatchBatch,
  type WatchEvent,
} from '../port.ts';
import { endOfPrefix } from '../transaction-rules.ts';
import { type Counts, openMarks, prepareCounts, prepareQuery, type Row } from './database.ts';

/** What is stored, as a transaction or a reader needs it. Every call is synchronous. */
export type Records = ReturnType<typeof openRecords>;

export const openRecords = (database: DatabaseSync) => {
  const marks = openMarks(database);
  return {
    marks,
    ...openReads(database, marks.read),
    ...openWrites(database),
    ...openLeaseRows(database),
    forget: openForget(database),
  };
};

/** Rows of what is. CROSS: SQLite walks `kv` and looks up each in the history, not the reverse. */
const NEWEST =
  'SELECT history.* FROM kv CROSS JOIN history ' +
  'ON history.key = kv.key AND history.mod_revision = kv.mod_revision';

const openReads = (database: DatabaseSync, mark: (name: 'current' | 'compacted') => Revision) => {
  const one = prepareQuery(database, `${NEWEST} WHERE kv.key = ?`);
  const counts = prepareCounts(
    database,
    'SELECT create_revision, mod_revision, version FROM kv WHERE key = ?',
  );
  const held = prepareQuery(database, `${NEWEST} WHERE kv.lease_id = ? ORDER BY kv.key`);
  const page = prepareQuery(
    database,
    `${NEWEST} WHERE kv.key >= ? AND kv.key < ? ORDER BY kv.key LIMIT ?`,
  );
  const pageAt = prepareQuery(
    database,
    `SELECT * FROM history AS h WHERE key >= ? AND key < ? AND deleted = 0
     AND mod_revision =
       (SELECT max(mod_revision) FROM history WHERE key = h.key AND mod_revision <= ?)
     ORDER BY key LIMIT ?`,
  );
  const changes = prepareQuery(
    database,
    `SELECT * FROM history WHERE mod_revision >= ? AND mod_revision < ? AND key >= ? AND key < ?
     ORDER BY mod_revision, position`,
  );

  const range = (options: RangeOptions): RangeResult => {
    const { prefix, after, limit = RANGE_LIMIT_DEFAULT, revision } = options;
    const current = mark('current');
    if (revision !== undefined && revision > current) throw futureRevision();
    if (revision !== undefined && revision < mark('compacted')) throw compacted();
    const bounds = [startOf(prefix, after), endOfPrefix(Buffer.from(prefix))] as const;
    const rows =
      revision === undefined || revision === current
        ? page.all(...bounds, limit + 1)
        : pageAt.all(...bounds, revision, limit + 1);
    return {
      keys: rows.slice(0, limit).map(toKeyValue),
      more: rows.length > limit,
      revision: revision ?? current,
    };
  };

  return {
    find: (key: string): KeyValue | undefined => {
      const row = one.first(Buffer.from(key));
      return row === undefined ? undefined : toKeyValue(row);
    },
    /** Of a key what can be told without reading its value. */
    counts: (key: string): Counts | undefined => counts(Buffer.from(key)),
    below: (prefix: string): KeyValue[] => {
      const start = Buffer.from(prefix);
      return page.all(start, endOfPrefix(start), -1).map(toKeyValue);
    },
    heldBy: (leaseId: string): KeyValue[] => held.all(leaseId).map(toKeyValue),
    range,
    /** The changes of the revisions [from, to), a batch for each that has one below the prefix. */
    changes: (prefix: string, from: Revision, to: Revision): WatchBatch[] => {
      const start = Buffer.from(prefix);
      return toBatches(changes.all(from, to, start, endOfPrefix(start)));
    },
  };
};

const openWrites = (database: DatabaseSync) => {
  const put = database.prepare(
    `INSERT INTO kv (key, create_revision, mod_revision, version, lease_id)
     VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET
     mod_revision = excluded.mod_revision, version = excluded.version,
     lease_id = excluded.lease_id`,
  );
  const remove = database.prepare('DELETE FROM kv WHERE key = ?');
  const remember = database.prepare('INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  const empty = new Uint8Array();
  return {
    /** Writes one event of a revision to both tables; `position` is its place in the revision. */
    apply: (event: WatchEvent, position: number): void => {
      if (event.kind === 'delete') {
        const key = Buffer.from(event.key);
        remove.run(key);
        remember.run(event.modRevision, position, key, 1, empty, 0, 0, '');
        return;
      }
      const { value, createRevision, modRevision, version, leaseId } = event.at;
      const key = Buffer.from(event.at.key);
      put.run(key, createRevision, modRevision, version, leaseId);
      remember.run(modRevision, position, key, 0, value, createRevision, version, leaseId);
    },
  };
};

const openLeaseRows = (database: DatabaseSync) => {
  const insert = database.prepare('INSERT INTO lease VALUES (?, ?)');
  const remove = database.prepare('DELETE FROM lease WHERE id = ?');
  const all = database.prepare('SELECT id, ttl_ms FROM lease');
  return {
    insertLease: (id: string, ttlMs: number): void => {
      insert.run(id, ttlMs);
    },
    deleteLease: (id: string): void => {
      remove.run(id);
    },
    leases: (): { readonly id: string; readonly ttlMs: number }[] =>
      all.all().map((row) => ({ id: String(row.id), ttlMs: Number(row.ttl_ms) })),
  };
};

/**
 * Removes what the changes of the revisions (after, to] have superseded, then their tombstones.
 * In slices, because SQLite is synchronous and a long delete would stop the process.
 */
const openForget = (database: DatabaseSync) => {
  const superseded = database.prepare(
    `DELETE FROM history WHERE (mod_revision, position) IN (
       SELECT old.mod_revision, old.position FROM history AS new JOIN history AS old
       ON old.key = new.key AND old.mod_revision < new.mod_revision
       WHERE new.mod_revision > ? AND new.mod_revision <= ?)`,
  );
  // A tombstone of the oldest readable revision itself must stay for watches that start there.
  const tombstones = database.prepare(
    'DELETE FROM history WHERE deleted = 1 AND mod_revision >= ? AND mod_revision < ?',
  );
  return (after: Revision, to: Revision): void => {
    superseded.run(after, to);
    tombstones.run(after, to);
  };
};

/** The first key that a page may have: the smallest one after `after`, or the prefix itself. */
const startOf = (prefix: string, after: string | undefined): Buffer => {
  const start = Buffer.from(prefix);
  if (after === undefined) return start;
  const next = Buffer.from(`${after}\0`);
  return Buffer.compare(next, start) > 0 ? next : start;
};

const toKeyValue = (row: Row): KeyValue => ({
  key: Buffer.from(row.key).toString(),
  value: row.value,
  createRevision: row.createRevision,
  modRevision: row.modRevision,
  version: row.version,
  leaseId: row.leaseId,
});

const toBatches = (rows: readonly Row[]): WatchBatch[] => {
  const batches: { revision: Revision; events: WatchEvent[] }[] = [];
  for (const row of rows) {
    const at = toKeyValue(row);
    const event: WatchEvent = row.deleted
      ? { kind: 'delete', key: at.key, modRevision: at.modRevision }
      : { kind: 'put', at };
    const last = batches.at(-1);
    if (last?.revision === row.modRevision) last.events.push(event);
    else batches.push({ revision: row.modRevision, events: [event] });
  }
  return batches;
};
