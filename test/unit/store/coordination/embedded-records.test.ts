import type { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { openDatabase } from '../../../../services/store/coordination/embedded/database.ts';
import { openRecords } from '../../../../services/store/coordination/embedded/records.ts';

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
  // Each stands in two tables: what is, and what was changed.
  const needed = 2 * CLAIMS * CLAIM_BYTES;
  const taken = bytesOf(database) - before;
  t.true(taken < 1.5 * needed, `${taken} bytes for ${needed}`);
});
