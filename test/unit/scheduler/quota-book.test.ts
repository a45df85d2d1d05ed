import test from 'ava';
import type { ClaimRecord } from '../../../services/scheduler/domain/claim.ts';
import { createQuotaBook } from '../../../services/scheduler/domain/quota-book.ts';
import { CPU, createCommand, granted, stateWith } from './builders.ts';

const template = granted(
  stateWith([{ uid: 'p1', offers: { [CPU]: 1_000 } }]),
  createCommand({ id: 'a', acquireMs: 5, releaseMs: 9_000 }),
);
const claimIn = (project: string): ClaimRecord => ({
  ...template,
  uid: `uid-${project}`,
  project,
  ancestors: ['top'],
});
const namesOf = (count: number) => Array.from({ length: count }, (_, at) => `P${at}`);

test('what was asked about once is not kept up to date for ever', (t) => {
  const book = createQuotaBook();
  for (const name of namesOf(1_500)) {
    const claim = claimIn(name);
    book.count(claim.uid, claim);
    t.is(book.uses(name, 10)[0]?.used, 1);
  }
  t.true(book.edges() <= 2_000, `${book.edges()} edges are kept`);
  t.is(book.uses('P0', 10)[0]?.used, 1, 'it is summed up again');
});

test('of a user who is limited no more nothing is kept', (t) => {
  const book = createQuotaBook();
  const claim = claimIn('red');
  book.count(claim.uid, claim);
  const record = {
    project: 'red',
    ancestors: [],
    limits: new Map(),
    users: new Map([[claim.owner, new Map([[CPU, 4]])]]),
    generation: 1,
    updateMs: 0,
    requests: [],
  };
  book.put(record);
  t.is(book.edges(), 2);
  book.put({ ...record, users: new Map() });
  t.is(book.edges(), 0);
});

test('a project that was asked about stays exact when it is limited and when it is not', (t) => {
  const book = createQuotaBook();
  const [first, second] = [claimIn('red'), { ...claimIn('red'), uid: 'second' }];
  book.count(first.uid, first);
  t.is(book.uses('red', 10)[0]?.used, 1);
  const record = { project: 'red', ancestors: [], users: new Map(), requests: [], updateMs: 0 };
  book.put({ ...record, limits: new Map([[CPU, 9]]), generation: 1 });
  for (const name of namesOf(1_100)) book.uses(name, 10);
  book.count(second.uid, second);
  t.deepEqual(book.uses('red', 10)[0], { resourceType: CPU, limit: 9, used: 2, peak: 2 });
  book.put({ ...record, limits: new Map(), generation: 2 });
  t.is(book.uses('red', 10)[0]?.used, 2);
  for (const name of namesOf(1_100)) book.uses(name, 10);
  t.is(book.edges(), 0, 'it is like the others now');
  t.is(book.uses('red', 10)[0]?.used, 2);
});

test('many projects are summed up in one look', (t) => {
  const book = createQuotaBook();
  const names = namesOf(40);
  for (const claim of names.map(claimIn)) book.count(claim.uid, claim);
  const uses = book.usesOf([...names, 'top', 'none'], 100);
  t.deepEqual(
    names.map((name) => uses.get(name.toLowerCase())?.[0]?.used),
    names.map(() => 1),
  );
  t.is(uses.get('top')?.[0]?.used, 40);
  t.deepEqual(uses.get('none'), []);
});
