import { DatabaseSync } from 'node:sqlite';
import type { Random } from '../runtime/random.ts';
import { BMC_SCHEMA, type BmcJournal, bmcJournalOf } from './bmc-journal.ts';
import { type AssignmentVersion, compareVersions } from './domain/assignment-order.ts';

/**
 * The agent's memory: assignments that it holds, what it knows of each guest, commands that it has
 * done, and reports that the control plane has not acknowledged. One SQLite file; every write is
 * durable before it is acted on.
 */
export type HeldAssignment = AssignmentVersion & {
  readonly uid: string;
  readonly digest: Uint8Array;
  /** The serialised runmachine.agent.v1.Assignment. */
  readonly bytes: Uint8Array;
};

export type GuestRecord = {
  readonly bootCount: number;
  readonly bootGeneration: bigint;
  readonly guestOff: boolean;
  /** Its end was ours, because the host stops; what is wanted did not change. */
  readonly hostStopped: boolean;
  /**
   * SHA-256 of the token of the last boot, in hexadecimal; empty once it was used or never given.
   */
  readonly tokenHash: string;
  /** Milliseconds since 1970; 0: not yet. */
  readonly startedAtMs: number;
  readonly kernelAtMs: number;
  readonly phoneHomeAtMs: number;
  readonly readyAtMs: number;
  readonly bootId: string;
  readonly kernelRelease: string;
  readonly hostname: string;
};

export const NEW_GUEST: GuestRecord = {
  bootCount: 0,
  bootGeneration: 0n,
  guestOff: false,
  hostStopped: false,
  tokenHash: '',
  startedAtMs: 0,
  kernelAtMs: 0,
  phoneHomeAtMs: 0,
  readyAtMs: 0,
  bootId: '',
  kernelRelease: '',
  hostname: '',
};

export type Report = { readonly sequence: bigint; readonly bytes: Uint8Array };

export type Journal = {
  readonly journalId: string;
  readonly held: () => readonly HeldAssignment[];
  readonly find: (uid: string) => HeldAssignment | undefined;
  /** False when an equal or newer version is held. */
  readonly hold: (assignment: HeldAssignment) => boolean;
  readonly forget: (uid: string) => void;
  readonly guest: (uid: string) => GuestRecord;
  readonly saveGuest: (uid: string, record: GuestRecord) => void;
  /** Adds a report; with `replaces`, unsent-acknowledged older ones of that key are dropped. */
  readonly report: (make: (sequence: bigint) => Uint8Array, replaces?: string) => bigint;
  /** Adds reports in one write: all of them or none. */
  readonly reportAll: (makes: readonly ((sequence: bigint) => Uint8Array)[]) => void;
  readonly reportsAfter: (sequence: bigint, limit: number) => readonly Report[];
  readonly acknowledge: (sequence: bigint) => void;
  /** Whether a report of that key is not acknowledged. */
  readonly isPending: (replaces: string) => boolean;
  readonly lastSequence: () => bigint;
  /** True the first time a command id is seen. */
  readonly beginCommand: (id: string) => boolean;
  /** For the role bmc. */
  readonly bmc: BmcJournal;
  readonly close: () => void;
};

/**
 * Reports kept for an outage; beyond it the oldest go, because a full disk would stop the guests.
 */
const REPORTS_MAX = 50_000;
const COMMANDS_MAX = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS assignment (
    uid TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, generation INTEGER NOT NULL,
    digest BLOB NOT NULL, bytes BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS guest (uid TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS report (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, replaces TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS report_replaces ON report (replaces);
  CREATE TABLE IF NOT EXISTS command (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE) STRICT;
`;

export const openJournal = (file: string, random: Random): Journal => {
  const db = new DatabaseSync(file);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;');
  db.exec(SCHEMA);
  db.exec(BMC_SCHEMA);
  const quick = new DatabaseSync(file);
  quick.exec('PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;');
  const journalId = ensureMeta(db, 'journal_id', () => random.requestId());
  return {
    journalId,
    ...assignmentsOf(db),
    ...guestsOf(db),
    ...reportsOf(db),
    beginCommand: (id) => beginCommand(db, id),
    bmc: bmcJournalOf(db, quick),
    close: () => {
      quick.close();
      db.close();
    },
  };
};

const ensureMeta = (db: DatabaseSync, key: string, make: () => string): string => {
  db.prepare('INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING').run(key, make());
  return String(db.prepare('SELECT value FROM meta WHERE key = ?').get(key)?.value);
};

const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array();

const assignmentsOf = (db: DatabaseSync): Pick<Journal, 'held' | 'find' | 'hold' | 'forget'> => {
  const all = db.prepare('SELECT * FROM assignment ORDER BY uid');
  all.setReadBigInts(true);
  const whole = db.prepare('SELECT * FROM assignment WHERE uid = ?');
  whole.setReadBigInts(true);
  const one = db.prepare('SELECT incarnation, generation FROM assignment WHERE uid = ?');
  one.setReadBigInts(true);
  const put = db.prepare('INSERT OR REPLACE INTO assignment VALUES (?, ?, ?, ?, ?)');
  const remove = db.prepare('DELETE FROM assignment WHERE uid = ?');
  const removeGuest = db.prepare('DELETE FROM guest WHERE uid = ?');
  return {
    held: () => all.all().map(heldAssignment),
    find: (uid) => {
      const row = whole.get(uid);
      return row && heldAssignment(row);
    },
    hold: (next) => {
      const row = one.get(next.uid);
      const present = row && {
        incarnation: BigInt(Number(row.incarnation)),
        generation: BigInt(Number(row.generation)),
      };
      if (present && compareVersions(next, present) <= 0) return false;
      put.run(next.uid, next.incarnation, next.generation, next.digest, next.bytes);
      return true;
    },
    forget: (uid) => {
      remove.run(uid);
      removeGuest.run(uid);
    },
  };
};

const heldAssignment = (row: Record<string, unknown>): HeldAssignment => ({
  uid: String(row.uid),
  incarnation: BigInt(Number(row.incarnation)),
  generation: BigInt(Number(row.generation)),
  digest: bytesOf(row.digest),
  bytes: bytesOf(row.bytes),
});

const guestsOf = (db: DatabaseSync): Pick<Journal, 'guest' | 'saveGuest'> => {
  const get = db.prepare('SELECT record FROM guest WHERE uid = ?');
  const put = db.prepare('INSERT OR REPLACE INTO guest VALUES (?, ?)');
  return {
    guest: (uid) => {
      const row = get.get(uid);
      if (!row) return NEW_GUEST;
      const parsed: GuestRecord & { bootGeneration: string } = JSON.parse(String(row.record));
      return { ...parsed, bootGeneration: BigInt(parsed.bootGeneration) };
    },
    saveGuest: (uid, record) => {
      put.run(uid, JSON.stringify({ ...record, bootGeneration: String(record.bootGeneration) }));
    },
  };
};

type Reports = Pick<
  Journal,
  'report' | 'reportAll' | 'reportsAfter' | 'acknowledge' | 'isPending' | 'lastSequence'
>;

const reportsOf = (db: DatabaseSync): Reports => {
  const reserve = db.prepare("INSERT INTO report (replaces, bytes) VALUES (?, x'')");
  const fill = db.prepare('UPDATE report SET bytes = ? WHERE sequence = ?');
  const supersede = db.prepare('DELETE FROM report WHERE replaces = ? AND sequence < ?');
  const after = db.prepare(
    `SELECT sequence, bytes FROM report WHERE sequence > ? AND bytes <> x''
     ORDER BY sequence LIMIT ?`,
  );
  const acknowledge = db.prepare('DELETE FROM report WHERE sequence <= ?');
  const pending = db.prepare('SELECT 1 FROM report WHERE replaces = ? LIMIT 1');
  const last = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'report'");
  const atOnce = <T>(work: () => T): T => {
    db.exec('BEGIN IMMEDIATE');
    try {
      const done = work();
      db.exec('COMMIT');
      return done;
    } catch (error) {
      db.exec('ROLLBACK');
      throw error;
    }
  };
  const put = (make: (sequence: bigint) => Uint8Array, replaces: string): bigint => {
    const sequence = BigInt(reserve.run(replaces).lastInsertRowid);
    fill.run(make(sequence), sequence);
    if (replaces !== '') supersede.run(replaces, sequence);
    acknowledge.run(sequence - BigInt(REPORTS_MAX));
    return sequence;
  };
  return {
    report: (make, replaces = '') => atOnce(() => put(make, replaces)),
    reportAll: (makes) =>
      atOnce(() => {
        for (const make of makes) put(make, '');
      }),
    reportsAfter: (sequence, limit) =>
      after
        .all(sequence, limit)
        .map((row) => ({ sequence: BigInt(Number(row.sequence)), bytes: bytesOf(row.bytes) })),
    acknowledge: (sequence) => {
      acknowledge.run(sequence);
    },
    isPending: (replaces) => pending.get(replaces) !== undefined,
    lastSequence: () => BigInt(Number(last.get()?.seq ?? 0)),
  };
};

const beginCommand = (db: DatabaseSync, id: string): boolean => {
  const added = db.prepare('INSERT INTO command (id) VALUES (?) ON CONFLICT DO NOTHING').run(id);
  if (added.changes === 0) return false;
  db.prepare('DELETE FROM command WHERE number <= ?').run(
    BigInt(added.lastInsertRowid) - BigInt(COMMANDS_MAX),
  );
  return true;
};
