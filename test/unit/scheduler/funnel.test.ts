/** What a refusal says stands in the way, against what fits once it is left out. */
import test from 'ava';
import fc from 'fast-check';
import { refusalOf } from '../../../services/scheduler/domain/funnel.ts';
import { place } from '../../../services/scheduler/domain/place.ts';
import { hasFree, lackingIn, vacancyOf } from '../../../services/scheduler/domain/vacancy.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { CPU, constraint, groupOf, stateWith, WHOLE } from './builders.ts';

const TAGS = ['a', 'b', 'c', 'd'];

test('a constraint is named exactly when the request fits without it', (t) => {
  const cases = fc.record({
    providers: fc.array(
      fc.record({ tags: fc.subarray(TAGS), cpu: fc.integer({ min: 1, max: 3 }) }),
      { minLength: 1, maxLength: 6 },
    ),
    require: fc.subarray(TAGS),
    forbid: fc.subarray(TAGS),
    count: fc.integer({ min: 1, max: 3 }),
  });
  let [named, unnamed] = [0, 0];
  fc.assert(
    fc.property(cases, ({ providers, require, forbid, count }) => {
      const index = stateWith(
        providers.map(({ tags, cpu }, at) => ({ uid: `p${at}`, tags, offers: { [CPU]: cpu } })),
      ).providers;
      const planWith = (tags: Parameters<typeof constraint>[0]) =>
        place(index, {
          spec: {
            groups: [groupOf({ [CPU]: 1 }, { tags: constraint(tags) })],
            count,
            ranking: 'pack',
          },
          window: { fromMs: 0, toMs: 10 },
          seed: 'seed',
        });
      const plan = planWith({ require, forbid });
      if (plan.kind !== 'refused') return;
      const { fitsWithout } = plan.refusal.funnel;
      const without = (list: readonly string[], tag: string) => list.filter((one) => one !== tag);
      const alone = [
        ...require.map(
          (tag) => [`tag ${tag}`, { require: without(require, tag), forbid }] as const,
        ),
        ...forbid.map(
          (tag) => [`no tag ${tag}`, { require, forbid: without(forbid, tag) }] as const,
        ),
      ];
      for (const [name, rest] of alone) {
        const fits = planWith(rest).kind === 'placed';
        t.is(fitsWithout.includes(name), fits, name);
        if (fits) named += 1;
        else unnamed += 1;
      }
    }),
    { numRuns: propertyRuns(300) },
  );
  const least = propertyRuns(20);
  t.true(named > least && unnamed > least, `${named} named, ${unnamed} not`);
});

test('who has enough of a resource free is told as it is over the window', (t) => {
  const hold = fc.record({
    amount: fc.integer({ min: 0, max: 4 }),
    fromMs: fc.nat(8),
    length: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(Infinity)),
  });
  const cases = fc.record({
    holds: fc.array(hold, { maxLength: 3 }),
    amount: fc.integer({ min: 1, max: 6 }),
    minAmount: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    fromMs: fc.nat(8),
    ignored: fc.option(fc.constant('c0'), { nil: undefined }),
  });
  fc.assert(
    fc.property(cases, ({ holds, amount, minAmount, fromMs, ignored }) => {
      const { providers } = stateWith([{ uid: 'p', offers: { [CPU]: 6, [WHOLE]: 1 } }]);
      for (const [at, { amount: held, fromMs: beginMs, length }] of holds.entries()) {
        const amounts = new Map(held === 0 ? [[WHOLE, 1]] : [[CPU, held]]);
        const claimUid = `c${at}`;
        const toMs = beginMs + length;
        providers.setHold('p', claimUid, { claimUid, amounts, fromMs: beginMs, toMs, later: true });
      }
      const member = providers.find('p');
      if (member === undefined) return t.fail();
      const least = minAmount === undefined ? {} : { minAmount: Math.min(minAmount, amount) };
      const asked = { resourceType: CPU, amount, ...least };
      const question = {
        window: { fromMs, toMs: fromMs + 3 },
        ...(ignored !== undefined && { ignoreClaimUid: ignored }),
      };
      const lacking = lackingIn(member.shape, vacancyOf(providers, member, question), [asked]);
      t.is(hasFree(providers, member, { asked, question }), lacking.length === 0);
    }),
    { numRuns: propertyRuns(500) },
  );
});

test('a refusal looks at no more than its limit, and names nothing that it does not know', (t) => {
  const machines = 500;
  const { providers } = stateWith(
    Array.from({ length: machines }, (_, n) => ({ uid: `p${n}`, offers: { [CPU]: 64 } })),
  );
  for (let n = 0; n < machines; n += 1) {
    const amounts = new Map([[CPU, 40]]);
    const hold = { claimUid: `c${n}`, amounts, fromMs: 20, toMs: 30, later: true } as const;
    providers.setHold(`p${n}`, `c${n}`, hold);
  }
  const groups = Array.from({ length: 4 }, (_, n) => groupOf({ [CPU]: 30 + n }, { name: `g${n}` }));
  const request = {
    spec: { groups, count: 1, ranking: 'pack' as const },
    window: { fromMs: 0, toMs: 100 },
    seed: 'seed',
  };
  const { funnel } = refusalOf(providers, request);
  t.deepEqual([funnel.remaining, funnel.fitsWithout], [0, [`${CPU} free`]]);
  const unknown = refusalOf(providers, request, machines);
  t.deepEqual([unknown.funnel.remaining, unknown.funnel.fitsWithout], [machines, []]);
  t.deepEqual(
    unknown.funnel.steps.filter(({ constraint }) => constraint.endsWith('free')),
    [],
  );
  t.is(unknown.together, 'all that is wanted together');
});
