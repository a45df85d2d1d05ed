/** Lists of allocations, page by page. */
import test from 'ava';
import type { ClaimRecord } from '../../../services/scheduler/domain/claim.ts';
import { type ClaimBook, createClaimBook } from '../../../services/scheduler/domain/claim-book.ts';
import {
  type AllocationQuery,
  type AllocationView,
  allocationLooks,
} from '../../../services/scheduler/rpc/allocation-looks.ts';
import type { PageKey } from '../../../services/store/sql/page.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { CPU, createCommand, granted, groupOf, MEMORY, stateWith } from './builders.ts';

const template = granted(
  stateWith([{ uid: 'p', offers: { [CPU]: 4, [MEMORY]: 4 } }]),
  createCommand({ id: 't', groups: [groupOf({ [CPU]: 1, [MEMORY]: 1 })] }),
);

type Wish = {
  readonly id: string;
  readonly on: readonly string[];
  readonly project?: string;
  readonly fromMs?: number;
};

/** One index on each of the providers. */
const claimOf = ({ id, on, project = 'red', fromMs = 0 }: Wish): ClaimRecord => ({
  ...template,
  uid: `uid-${id}`,
  claimId: id,
  project,
  spec: { ...template.spec, count: on.length, acquireMs: fromMs },
  providers: on.map((uid) => ({ uid, name: uid, finishMs: undefined })),
  placements: on.map((_, at) => ({ group: 0, index: at, provider: at })),
});

const viewOf = (claims: Iterable<ClaimRecord>): AllocationView & { readonly claims: ClaimBook } => {
  const book = createClaimBook();
  for (const claim of claims) book.put(claim);
  return { partition: 'lab', claims: book, nowMs: () => 0 };
};

const queryOf = (
  rest: Partial<AllocationQuery<AllocationView>> = {},
): AllocationQuery<AllocationView> => ({
  parent: { partition: '-', project: '-' },
  access: { covers: () => true },
  window: { fromMs: -Infinity, toMs: Infinity },
  providerUid: '',
  consumerUid: '',
  isMember: () => true,
  ...rest,
});

type Page = { readonly rows: readonly string[]; readonly after: PageKey | undefined };

/** As the handler does: until so many rows or so much work. */
const pageOf = (
  query: AllocationQuery<AllocationView>,
  view: AllocationView,
  at: { readonly size: number; readonly most: number; readonly after: PageKey | undefined },
): Page & { readonly cost: number } => {
  const rows: string[] = [];
  let cost = 0;
  for (const look of allocationLooks(query, [view], at.after)) {
    cost += look.cost;
    for (const { claim, allocation, key } of look.rows) {
      const { providerUid, resourceType, index } = allocation;
      rows.push(`${providerUid} ${claim.claimId} ${index} ${resourceType}`);
      if (rows.length >= at.size) return { rows, after: key, cost };
    }
    if (cost >= at.most) return { rows, after: look.key, cost };
  }
  return { rows, after: undefined, cost };
};

const all = (
  query: AllocationQuery<AllocationView>,
  view: AllocationView,
  at: { readonly size: number; readonly most: number },
): readonly string[] => {
  const found: string[] = [];
  for (let after: PageKey | undefined, turn = 0; turn < 100_000; turn += 1) {
    const page = pageOf(query, view, { ...at, after });
    found.push(...page.rows);
    if (page.after === undefined) return found;
    after = page.after;
  }
  throw new Error('There is no end of pages');
};

test('however it is cut into pages a list has every allocation once, in order', (t) => {
  const random = seededRandom(7);
  const uids = Array.from({ length: 12 }, (_, at) => `p${at % 10}${at}`);
  const claims = Array.from({ length: 60 }, (_, at) =>
    claimOf({
      id: `c${at}`,
      on: uids.filter(() => random.fraction() < 0.3),
      project: at % 3 === 0 ? 'blue' : 'red',
      fromMs: Math.floor(random.fraction() * 5),
    }),
  );
  const view = viewOf(claims);
  for (const project of ['-', 'red', 'blue']) {
    const query = queryOf({ parent: { partition: '-', project } });
    const whole = all(query, view, { size: Infinity, most: Infinity });
    const meant = claims.filter((claim) => project === '-' || claim.project === project);
    const expected = [...uids].sort().flatMap((uid) =>
      meant
        .filter(({ providers }) => providers.some((one) => one.uid === uid))
        .toSorted((a, b) => a.spec.acquireMs - b.spec.acquireMs || (a.uid < b.uid ? -1 : 1))
        .flatMap(({ claimId, providers }) => {
          const index = providers.findIndex((one) => one.uid === uid);
          return [CPU, MEMORY].map((code) => `${uid} ${claimId} ${index} ${code}`);
        }),
    );
    t.deepEqual(whole, expected);
    for (const size of [1, 3, 7]) t.deepEqual(all(query, view, { size, most: Infinity }), whole);
    for (const most of [1, 5]) t.deepEqual(all(query, view, { size: Infinity, most }), whole);
  }
});

test('claims that are not meant count as work, those before the page do not', (t) => {
  const claims = Array.from({ length: 3_000 }, (_, at) =>
    claimOf({ id: `c${at}`, on: ['p'], project: 'blue', fromMs: at }),
  );
  const view = viewOf([...claims, claimOf({ id: 'own', on: ['p'], fromMs: 3_000 })]);
  const query = queryOf({ access: { covers: ({ project }) => project === 'red' } });
  const first = pageOf(query, view, { size: 10, most: 2_000, after: undefined });
  t.deepEqual(first.rows, []);
  t.not(first.after, undefined, 'it says where to go on');
  const second = pageOf(query, view, { size: 10, most: 2_000, after: first.after });
  t.deepEqual(second.rows, [`p own 0 ${CPU}`, `p own 0 ${MEMORY}`]);
  t.true(second.cost <= 1_003, `${second.cost}`);
});

test('a project with more than can be sorted for each page is found along the providers', (t) => {
  const uids = Array.from({ length: 120 }, (_, at) => `p${String(at).padStart(3, '0')}`);
  const claims = Array.from({ length: 100 }, (_, at) => claimOf({ id: `c${at}`, on: uids }));
  const view = viewOf([...claims, claimOf({ id: 'other', on: ['q'], project: 'blue' })]);
  const query = queryOf({ parent: { partition: 'lab', project: 'red' } });
  const first = pageOf(query, view, { size: 1_000, most: 20_000, after: undefined });
  t.is(first.rows.length, 1_000);
  t.true(first.cost < 2_000, 'what lies behind the page is left alone');
  const found = all(query, view, { size: 1_000, most: 20_000 });
  t.is(found.length, 24_000);
  t.is(new Set(found).size, 24_000);
});
