import test from 'ava';
import { isDomainError } from '../../../services/runtime/errors.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import type { Interval } from '../../../services/scheduler/domain/hold.ts';
import { createUsageReport, type Use } from '../../../services/scheduler/domain/usage-report.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const use = (rest: Partial<Use>): Use => ({
  project: 'red',
  owner: 'users/ada',
  consumerType: 'runm.machine',
  resourceType: 'runm.memory',
  amount: 1,
  fromMs: 0,
  toMs: Infinity,
  ...rest,
});

test('amount times time is exact beyond 64 bits', (t) => {
  const report = createUsageReport({ fromMs: 0, toMs: 3_600_000_500 }, ['project']);
  report.add(use({ amount: Number.MAX_SAFE_INTEGER }));
  report.add(use({ amount: Number.MAX_SAFE_INTEGER, toMs: 1_000 }));
  const [row] = report.rows();
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  t.is(row?.amountSeconds, (most * 3_600_000_500n + most * 1_000n) / 1000n);
  t.is(row?.amountPeak, 2n * most);
  t.is(row?.amountAtEnd, most);
});

test('touching uses do not add up, and what ends with the span is in use at its end', (t) => {
  const report = createUsageReport({ fromMs: 100, toMs: 300 }, ['project']);
  report.add(use({ fromMs: 0, toMs: 200, amount: 4 }));
  report.add(use({ fromMs: 200, toMs: 300, amount: 3 }));
  report.add(use({ fromMs: 300, toMs: 400, amount: 9 }));
  report.add(use({ fromMs: 50, toMs: 100, amount: 9 }));
  t.deepEqual(report.rows(), [
    {
      project: 'red',
      user: '',
      consumerType: '',
      resourceType: 'runm.memory',
      claims: 2,
      amountAtEnd: 3n,
      amountPeak: 4n,
      amountSeconds: 0n,
    },
  ]);
});

test('a report that would have too many rows is refused', (t) => {
  const report = createUsageReport({ fromMs: 0, toMs: 10 }, ['user']);
  const error = t.throws(() => {
    for (let at = 0; at < 20_000; at += 1) report.add(use({ owner: `users/${at}` }));
  });
  t.true(isDomainError(error, 'resource_exhausted', 'REPORT_TOO_LARGE'));
});

test('a report says what adding up instant by instant says', (t) => {
  const seed = Math.floor(systemRandom.fraction() * 2 ** 31);
  t.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random.fraction() * most);
  for (let round = 0; round < 100; round += 1) {
    const span: Interval = { fromMs: 20, toMs: 20 + 1 + upTo(40) };
    const uses = Array.from({ length: upTo(12) }, () => {
      const fromMs = upTo(70);
      const toMs = random.fraction() < 0.2 ? Infinity : fromMs + 1 + upTo(30);
      const owner = `users/${upTo(2)}`;
      return use({ fromMs, toMs, owner, project: `p${upTo(2)}`, amount: 1000 * (1 + upTo(5)) });
    });
    const report = createUsageReport(span, ['project', 'user']);
    for (const one of uses) report.add(one);
    const rows = report.rows();
    for (const row of rows) {
      const mine = uses.filter((one) => one.project === row.project && one.owner === row.user);
      const at = (ms: number): number =>
        mine
          .filter(({ fromMs, toMs }) => fromMs <= ms && ms < toMs)
          .reduce((sum, { amount }) => sum + amount, 0);
      const instants = Array.from({ length: span.toMs - span.fromMs }, (_, ms) => span.fromMs + ms);
      const sums = instants.map(at);
      t.is(row.amountPeak, BigInt(Math.max(...sums)));
      t.is(row.amountAtEnd, BigInt(sums.at(-1) ?? 0));
      t.is(row.amountSeconds, BigInt(sums.reduce((sum, one) => sum + one, 0) / 1000));
    }
    const keys = new Set(
      uses
        .filter(({ fromMs, toMs }) => fromMs < span.toMs && toMs > span.fromMs)
        .map(({ project, owner }) => `${project} ${owner}`),
    );
    t.deepEqual(
      rows.map(({ project, user }) => `${project} ${user}`),
      [...keys].sort(),
    );
  }
});
