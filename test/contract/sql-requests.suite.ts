import { isDomainError } from '../../services/runtime/errors.ts';
import { type SqlSubject, storeOf } from './sql.suite.ts';
import { startCrashingWriter } from './sql-crash.ts';
import { actor, addBook, countRows, keyOf, openBooks } from './sql-fixture.ts';

/** That a request is done once, whole, and audited. */
export const sqlRequestsSuite = (subject: SqlSubject): void => {
  repeatTests(subject);
  crashTests(subject);
};

const EVERYTHING = ['book', 'request', 'change', 'audit'];

const repeatTests = (subject: SqlSubject): void => {
  const { test } = subject;

  test('a repeated request gets the stored answer and is not done again', async (t) => {
    const store = await storeOf(subject, t);
    const create = (name: string) =>
      store.transaction(keyOf('r-1', 'Dune'), actor, async (tx) => addBook(tx, name));
    const first = await create('Dune');
    t.is(await create('another effect'), first);
    t.deepEqual(await countRows(store, ...EVERYTHING), [1, 1, 1, 1]);
  });

  test('a request that arrives many times at once is done once and answered every time', async (t) => {
    const store = await storeOf(subject, t);
    let runs = 0;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        store.transaction(keyOf('r-1', 'Dune'), actor, async (tx) => {
          runs += 1;
          return addBook(tx, 'Dune');
        }),
      ),
    );
    t.is(new Set(answers).size, 1);
    t.is(runs, 1);
    t.deepEqual(await countRows(store, ...EVERYTHING), [1, 1, 1, 1]);
  });

  test('requests written together are each known again, and one that was done before is not done', async (t) => {
    const store = await storeOf(subject, t);
    await store.transaction(keyOf('r-1', 'Dune'), actor, async (tx) => addBook(tx, 'Dune'));
    const asked = ['Dune', 'Emma', 'Ilium'].map((name, at) => ({
      ...{ key: keyOf(`r-${at + 1}`, name), actor, answer: `the ${name}` },
    }));
    const written: number[] = [];
    const write = () =>
      store.transactionForAll(asked, async (txs) => {
        for (const [at, tx] of txs) {
          written.push(at);
          addBook(tx, asked[at]?.answer ?? '');
        }
      });
    const answers = await write();
    t.deepEqual(written, [1, 2]);
    t.deepEqual(answers.slice(1), ['the Emma', 'the Ilium']);
    t.not(answers[0], 'the Dune');
    t.deepEqual(await write(), answers);
    t.deepEqual(await countRows(store, ...EVERYTHING), [3, 3, 3, 3]);
    t.is(
      await store.transaction(keyOf('r-2', 'Emma'), actor, async (tx) => addBook(tx, 'other')),
      'the Emma',
    );
  });

  test('of requests written together either all are done or none', async (t) => {
    const store = await storeOf(subject, t);
    await store.transaction(keyOf('r-1', 'Dune'), actor, async (tx) => addBook(tx, 'Dune'));
    const asked = ['Emma', 'Ilium'].map((name, at) => ({
      ...{ key: keyOf(`r-${2 - at}`, name), actor, answer: name },
    }));
    const reused = await t.throwsAsync(
      store.transactionForAll(asked, async (txs) => {
        for (const tx of txs.values()) addBook(tx, 'another');
      }),
    );
    t.true(isDomainError(reused, 'invalid_argument', 'REQUEST_ID_REUSED'));
    t.deepEqual(await countRows(store, ...EVERYTHING), [1, 1, 1, 1]);
  });

  test('the loser of a doubled request does the work when the winner fails', async (t) => {
    const store = await storeOf(subject, t);
    const winnerHasBegun = Promise.withResolvers<void>();
    const letWinnerFail = Promise.withResolvers<void>();
    const winner = store.transaction(keyOf('r-1', 'Dune'), actor, async (tx) => {
      addBook(tx, 'Dune');
      await tx.em.flush();
      winnerHasBegun.resolve();
      await letWinnerFail.promise;
      throw new Error('refused after all');
    });
    await winnerHasBegun.promise;
    const loser = store.transaction(keyOf('r-1', 'Dune'), actor, async (tx) => addBook(tx, 'Dune'));
    letWinnerFail.resolve();
    await t.throwsAsync(winner, { message: 'refused after all' });
    t.truthy(await loser);
    t.deepEqual(await countRows(store, ...EVERYTHING), [1, 1, 1, 1]);
  });

  test('a request id that returns with other arguments or another method is refused', async (t) => {
    const store = await storeOf(subject, t);
    const create = (text: string, more = {}) =>
      store.transaction(keyOf('r-1', text, more), actor, async (tx) => addBook(tx, text));
    await create('Dune');
    for (const repeat of [
      create('Emma'),
      create('Dune', { method: '/library.v1.BookService/Burn' }),
    ]) {
      const error = await t.throwsAsync(repeat);
      t.true(isDomainError(error, 'invalid_argument', 'REQUEST_ID_REUSED'));
    }
    t.deepEqual(await countRows(store, ...EVERYTHING), [1, 1, 1, 1]);
  });

  test('the same request id of another caller is another request', async (t) => {
    const store = await storeOf(subject, t);
    const create = (name: string, caller: string) =>
      store.transaction(keyOf('r-1', 'x', { caller }), actor, async (tx) => addBook(tx, name));
    t.not(await create('Dune', 'users/a'), await create('Emma', 'users/b'));
    t.deepEqual(await countRows(store, 'book', 'request'), [2, 2]);
  });

  test('a transaction that fails leaves no object, request, change or audit row', async (t) => {
    const store = await storeOf(subject, t);
    const failing = store.transaction(keyOf('r-1', 'Dune'), actor, async (tx) => {
      addBook(tx, 'Dune');
      await tx.em.flush();
      throw new Error('no');
    });
    await t.throwsAsync(failing, { message: 'no' });
    t.deepEqual(await countRows(store, ...EVERYTHING), [0, 0, 0, 0]);
  });

  test('an answer that cannot be encoded undoes the effect', async (t) => {
    const store = await storeOf(subject, t);
    const encodeAnswer = (): Uint8Array => {
      throw new Error('cannot encode');
    };
    const failing = store.transaction(keyOf('r-1', 'Dune', { encodeAnswer }), actor, async (tx) =>
      addBook(tx, 'Dune'),
    );
    await t.throwsAsync(failing, { message: 'cannot encode' });
    t.deepEqual(await countRows(store, ...EVERYTHING), [0, 0, 0, 0]);
  });

  test('an audit row holds who, what and the state before and after', async (t) => {
    const store = await storeOf(subject, t);
    await store.transaction(undefined, { ...actor, onBehalfOf: 'projects/p' }, async (tx) => {
      tx.audit({
        action: 'book.rename',
        objectKind: 'book',
        objectUid: 'u-1',
        objectName: 'Dune',
        projectUid: 'p-1',
        before: { name: 'Dun' },
        after: { name: 'Dune', pages: 10n ** 18n },
      });
    });
    const [row] = await store.read(({ kysely }) =>
      kysely<Record<string, object>>().selectFrom('audit').selectAll().execute(),
    );
    t.like(row, {
      principal: 'users/tester',
      on_behalf_of: 'projects/p',
      request_id: 'r-1',
      action: 'book.rename',
      object_kind: 'book',
      object_uid: 'u-1',
      project_uid: 'p-1',
      partition: null,
      before: '{"name":"Dun"}',
      after: '{"name":"Dune","pages":"1000000000000000000"}',
    });
  });
};

const crashTests = (subject: SqlSubject): void => {
  const { test } = subject;

  test('a process killed between commit and answer has done the request once', async (t) => {
    const url = await subject.createUrl(t);
    if (url === 'sqlite::memory:') {
      t.pass('a database in memory does not outlive its process');
      return;
    }
    const writer = await startCrashingWriter(t, { url, requestId: 'r-1', point: 'after-commit' });
    await writer.killAtPoint();
    const store = await openBooks(url);
    t.teardown(() => store.close());
    const answer = await store.transaction(keyOf('r-1', 'Dune'), actor, async () => {
      throw new Error('the work must not run again');
    });
    t.is(answer, writer.uid());
    t.deepEqual(await countRows(store, ...EVERYTHING), [1, 1, 1, 1]);
  });

  test('a process killed before the commit has done nothing, and the retry does it', async (t) => {
    const url = await subject.createUrl(t);
    if (url === 'sqlite::memory:') {
      t.pass('a database in memory does not outlive its process');
      return;
    }
    const writer = await startCrashingWriter(t, { url, requestId: 'r-1', point: 'before-commit' });
    await writer.killAtPoint();
    const store = await openBooks(url);
    t.teardown(() => store.close());
    t.deepEqual(await countRows(store, ...EVERYTHING), [0, 0, 0, 0]);
    const answer = await store.transaction(keyOf('r-1', 'Dune'), actor, async (tx) =>
      addBook(tx, 'Dune'),
    );
    t.not(answer, writer.uid());
    t.deepEqual(await countRows(store, ...EVERYTHING), [1, 1, 1, 1]);
  });
};
