/**
 * The least that SQLite needs to make durable what a leader commits: one table, synchronous = FULL,
 * one transaction after the other, of as many claims as half of the bench's callers have on their
 * way, the head and a log that says what each became. Nothing is compared, watched or remembered.
 *
 * Alone: node test/bench/limits/raw-commits.ts
 */
import { DatabaseSync } from 'node:sqlite';
import { temporaryDir } from '../../support/temporary-dir.ts';
import { hasParent, serveParent } from '../serve-parent.ts';

const CLAIMS = 32;
/** Of a claim when it is made, when its release begins and when it has ended, as seen. */
const CLAIM_BYTES = [1_020, 1_250, 1_500] as const;
const HEAD_BYTES = 87;
/** For each claim of the commit, as seen. */
const LOG_BYTES = 400;
/** Claims that callers hold before they give them back. */
const HELD = 512;

export type RawCommits = { readonly durationMs: number };

/** Changes of claims a second. */
const run = ({ durationMs }: RawCommits): number => {
  using dir = temporaryDir();
  using database = new DatabaseSync(`${dir.path}/raw.sqlite`);
  database.exec('PRAGMA page_size = 8192');
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec(
    'CREATE TABLE kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT',
  );
  const put = database.prepare('INSERT OR REPLACE INTO kv VALUES (?, ?)');
  const startMs = performance.now();
  let changes = 0;
  for (let commit = 1; performance.now() - startMs < durationMs; commit += 1) {
    database.exec('BEGIN IMMEDIATE');
    for (let i = 0; i < CLAIMS; i += 1) {
      const at = changes % CLAIM_BYTES.length;
      const claim = Math.floor(changes / CLAIM_BYTES.length) - at * HELD;
      put.run(keyOf('claims', Math.max(claim, 0)), new Uint8Array(CLAIM_BYTES[at] ?? 0));
      changes += 1;
    }
    put.run(keyOf('head', 0), new Uint8Array(HEAD_BYTES));
    put.run(keyOf('log', commit), new Uint8Array(CLAIMS * LOG_BYTES));
    database.exec('COMMIT');
  }
  return (changes * 1000) / (performance.now() - startMs);
};

const keyOf = (kind: string, number: number): Buffer =>
  Buffer.from(`partitions/bench/${kind}/${String(number).padStart(36, '0')}`);

if (hasParent()) serveParent({ run });
else console.log(`${Math.round(run({ durationMs: 4_000 }))} changes of claims/s`);
