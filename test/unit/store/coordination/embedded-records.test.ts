import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { openDatabase } from '../../../../services/store/coordination/embedded/database.ts';
import { openRecords } from '../../../../services/store/coordination/embedded/records.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

const CLAIM_BYTES = 1_500;
const CLAIMS = 500;

const bytesOf = (database: DatabaseSync): number => {
  const pragma = (name: string) => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  return pragma('page_count') * pragma('page_size');
};

test('records of the size of claims take about the room that their bytes need', (t) => {
  const database = openDatabase(':memory:');
  const { apply } = openRecords(database);
  const before = bytesOf(database);
  for (let i = 0; i < CLAIMS; i += 1) {
    const key = `claims/${String(i).padStart(4, '0')}`;
    const value = new Uint8Array(CLAIM_BYTES);
    const modRevision = BigInt(i + 2);
    const at = { key, value, createRevision: modRevision, modRevision, version: 1n, leaseId: '' };
    apply({ kind: 'put', at }, 0);
  }
  const needed = CLAIMS * CLAIM_BYTES;
  const taken = bytesOf(database) - before;
  t.true(taken < 1.5 * needed, `${taken} bytes for ${needed}`);
});

/** As files were when values stood in both tables. */
const FIRST_FILE = `
CREATE TABLE kv (
  key BLOB PRIMARY KEY, value BLOB NOT NULL, create_revision INTEGER NOT NULL,
  mod_revision INTEGER NOT NULL, version INTEGER NOT NULL, lease_id TEXT NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX kv_lease ON kv (lease_id) WHERE lease_id <> '';
CREATE TABLE history (
  mod_revision INTEGER NOT NULL, position INTEGER NOT NULL, key BLOB NOT NULL,
  deleted INTEGER NOT NULL, value BLOB NOT NULL, create_revision INTEGER NOT NULL,
  version INTEGER NOT NULL, lease_id TEXT NOT NULL,
  PRIMARY KEY (mod_revision, position)
) WITHOUT ROWID, STRICT;
INSERT INTO history VALUES
  (2, 0, x'61', 0, x'01', 2, 1, ''), (2, 1, x'62', 0, x'02', 2, 1, 'l'),
  (3, 0, x'61', 0, x'03', 2, 2, '');
INSERT INTO kv VALUES (x'61', x'03', 2, 3, 2, ''), (x'62', x'02', 2, 2, 1, 'l');
CREATE TABLE mark (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT;
INSERT INTO mark VALUES ('current', 3), ('compacted', 0), ('swept', 0);
`;

test('a file of the first shape keeps its keys, also when it is opened again', (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'c.sqlite');
  const first = new DatabaseSync(file);
  first.exec(FIRST_FILE);
  first.close();
  for (let opening = 0; opening < 2; opening += 1) {
    const database = openDatabase(file);
    const records = openRecords(database);
    t.like(records.find('a'), { createRevision: 2n, modRevision: 3n, version: 2n, leaseId: '' });
    t.deepEqual(
      records.range({ prefix: '' }).keys.map(({ key, value }) => [key, ...value]),
      [
        ['a', 3],
        ['b', 2],
      ],
    );
    t.deepEqual(
      records.range({ prefix: '', revision: 2n }).keys.map(({ key, value }) => [key, ...value]),
      [
        ['a', 1],
        ['b', 2],
      ],
    );
    t.deepEqual(
      records.heldBy('l').map(({ key }) => key),
      ['b'],
    );
    database.close();
  }
});
