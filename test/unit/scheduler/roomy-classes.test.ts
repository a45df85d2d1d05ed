/** Classes that are remembered with their scores are those that a first look finds. */
import test from 'ava';
import fc from 'fast-check';
import { fitsBeside } from '../../../services/scheduler/domain/granted.ts';
import { createProviderIndex } from '../../../services/scheduler/domain/provider-index.ts';
import { roomyClassesOf } from '../../../services/scheduler/domain/roomy-classes.ts';
import { select } from '../../../services/scheduler/domain/selection.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { CPU, factsOf, groupOf, MEMORY, offersFrom } from './builders.ts';

const UIDS = ['p0', 'p1', 'p2', 'p3', 'p4'];
const OFFERS = { [CPU]: 8, [MEMORY]: 16 };
const ASKED = [{ [CPU]: 1 }, { [CPU]: 2, [MEMORY]: 4 }, { [MEMORY]: 15 }];
const RANKINGS = ['pack', 'spread', 'random'] as const;

const fleet = () => {
  const index = createProviderIndex();
  for (const uid of UIDS) {
    index.setFacts(uid, factsOf({ uid, offers: OFFERS }));
    const offers = offersFrom(OFFERS);
    index.setCapacity(uid, {
      providerUid: uid,
      generation: 1,
      offers,
      closed: false,
      version: 1,
      updateMs: 0,
    });
  }
  return index;
};

const booking = fc.record({
  uid: fc.constantFrom(...UIDS),
  claim: fc.nat(3).map((number) => `c${number}`),
  amounts: fc.option(
    fc.record({ cpu: fc.integer({ min: 1, max: 3 }), memory: fc.integer({ min: 1, max: 5 }) }),
    { nil: undefined },
  ),
});

const step = fc.oneof(
  { weight: 3, arbitrary: booking },
  fc.record({ asked: fc.nat(ASKED.length - 1), ranking: fc.constantFrom(...RANKINGS) }),
  /** More than is remembered of what is new. */
  fc.constant('many' as const),
);

test('what is remembered of classes is what a first look finds', (t) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const index = fleet();
      const groups = ASKED.map((one) => groupOf(one));
      const selections = groups.map((group) =>
        select(index, { group, resources: group.resources, isPart: false }),
      );
      const book = (uid: string, claimUid: string, amounts?: ReadonlyMap<string, number>) =>
        index.setHold(uid, claimUid, amounts && { claimUid, amounts, fromMs: 0, toMs: Infinity });
      for (const one of steps) {
        if (one === 'many') {
          for (let at = 1; at <= 1_200; at += 1) {
            book('p0', 'many', new Map([[CPU, (at % 7) + 1]]));
            book('p0', 'many', undefined);
          }
        } else if ('uid' in one) {
          const { uid, claim, amounts } = one;
          const { cpu = 0, memory = 0 } = amounts ?? {};
          book(
            uid,
            claim,
            amounts &&
              new Map([
                [CPU, cpu],
                [MEMORY, memory],
              ]),
          );
        } else {
          const selection = selections[one.asked];
          if (selection === undefined) continue;
          const asking = { selection, ranking: one.ranking };
          const known = roomyClassesOf(index, asking);
          for (const shape of selection.shapes) {
            const { loads, scores, freshScore } = known(shape);
            const fits = fitsBeside(shape, selection.resources);
            const living = loads.filter(({ members }) => members.size > 0);
            t.deepEqual(
              living,
              [...shape.loads.values()].filter(({ used }) => fits(used)),
            );
            const first = roomyClassesOf(fleet(), asking)(shape);
            const scoreOf = new Map(first.loads.map((load, at) => [load, first.scores[at]]));
            t.is(freshScore, first.freshScore);
            for (const [at, load] of loads.entries()) {
              if (load.members.size > 0) t.is(scores[at], scoreOf.get(load));
            }
          }
        }
      }
    }),
    { numRuns: propertyRuns(100) },
  );
});
