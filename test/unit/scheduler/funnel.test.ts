/** What a refusal says stands in the way, against what fits once it is left out. */
import test from 'ava';
import fc from 'fast-check';
import { place } from '../../../services/scheduler/domain/place.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { CPU, constraint, groupOf, stateWith } from './builders.ts';

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
  t.true(named > 20 && unnamed > 20, `${named} named, ${unnamed} not`);
});
