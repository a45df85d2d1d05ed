import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDomainError } from '../../services/runtime/errors.ts';
import { addBooks, countRows, openBooks } from './sql-fixture.ts';

/** Started by sql-sqlite.test.ts with a tiny file system to fill; its exit code is the result. */
const [dir = '', writer] = process.argv.slice(2);
const signal = AbortSignal.timeout(60_000);
const ballast = join(dir, 'ballast');
writeFileSync(ballast, Buffer.alloc(512 * 1024));

const writesInThread = writer === 'thread';
const store = await openBooks(`sqlite:${join(dir, 'library.db')}`, { writesInThread });
let written = 0;
const fill = async (): Promise<void> => {
  for (; written < 10_000; written += 1) {
    await addBooks(store, [`${written} ${'x'.repeat(1_000)}`]);
  }
};
const isFull = (error: unknown): boolean => isDomainError(error, 'unavailable', 'STORE_FULL');

await assert.rejects(fill(), isFull);
await assert.rejects(store.ping(signal), isFull);
assert.deepEqual(await countRows(store, 'book', 'change'), [written, written]);

rmSync(ballast);
await store.ping(signal);
await addBooks(store, ['after']);
assert.deepEqual(await countRows(store, 'book'), [written + 1]);
await store.close();
