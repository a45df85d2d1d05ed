import assert from 'node:assert/strict';
import type { CrashPlan } from './sql-crash.ts';
import { actor, addBook, keyOf, openBooks } from './sql-fixture.ts';

/** Started by sql-crash.ts: reaches its point, prints the uid and hangs there. */
const { url, requestId, point }: CrashPlan = JSON.parse(process.env.RUNM_TEST_CRASH ?? '');

const hang = async (uid: string): Promise<never> => {
  process.stdout.write(`${uid}\n`);
  setInterval(() => undefined, 1_000);
  return new Promise<never>(() => undefined);
};

const store = await openBooks(url);
const uid = await store.transaction(keyOf(requestId, 'Dune'), actor, async (tx) => {
  const made = addBook(tx, 'Dune');
  await tx.em.flush();
  return point === 'before-commit' ? hang(made) : made;
});
assert.equal(point, 'after-commit');
await hang(uid);
