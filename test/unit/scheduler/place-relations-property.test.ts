/**
 * Requests with trees, places, distances, several providers and spreading, against a model that
 * tries everything.
 */
import test from 'ava';
import fc from 'fast-check';
import { findWindows } from '../../../services/scheduler/domain/find-windows.ts';
import { judge } from '../../../services/scheduler/domain/judge.ts';
import { place } from '../../../services/scheduler/domain/place.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { atOnce } from './builders.ts';
import { cases, indexOf, itemsOf, prepared } from './place-cases.ts';
import { type Item, isValid, type ModelRequest, someAssignment } from './place-model.ts';

/** Everything that ends has, and is clean. */
const LATEST = 16;

/** The same without anything that less would do of. */
const wanting = (wanted: ModelRequest): ModelRequest => ({
  ...wanted,
  groups: wanted.groups.map((one) => ({
    ...one,
    resources: one.resources.map(({ minAmount: _, ...rest }) => rest),
  })),
});

const isGivenAll = ({ group, resources, amounts }: Item): boolean =>
  resources.every((at, n) => amounts?.[n] === group.resources[at]?.amount);

test('a plan with relations is found exactly when one exists, and keeps them all', (t) => {
  let placed = 0;
  fc.assert(
    fc.property(cases, (one) => {
      const { model, groups, wanted, request } = prepared(one);
      const index = indexOf(model);
      const plan = place(index, request);
      const exists = someAssignment(model, wanted);
      t.is(plan.kind, exists ? 'placed' : 'refused');
      if (plan.kind !== 'placed') return;
      placed += 1;
      const items = itemsOf(model, groups, plan);
      t.true(isValid(model, wanted, items));
      if (someAssignment(model, wanting(wanted))) {
        t.true(items.every(isGivenAll), 'all that is wanted fits');
      }
      t.deepEqual(judge(index, request, plan), []);
      t.deepEqual(place(indexOf(model), request), plan, 'the same state gives the same plan');
    }),
    { numRuns: propertyRuns(250) },
  );
  t.true(placed > propertyRuns(10), `${placed} cases placed something`);
});

test('windows are found exactly where the request would fit', (t) => {
  let found = 0;
  fc.assert(
    fc.property(cases, (one) => {
      const { model, wanted, request } = prepared(one);
      const question = { durationMs: one.length, earliestMs: 0, latestMs: LATEST, limit: 100 };
      const { windows, isComplete } = atOnce(findWindows(indexOf(model), request, question));
      t.true(isComplete);
      for (let beginMs = 0; beginMs <= LATEST - one.length; beginMs += 1) {
        const at = { ...wanted, fromMs: beginMs, toMs: beginMs + one.length };
        const isFound = windows.some(
          (window) => window.beginMs <= beginMs && beginMs <= window.latestBeginMs,
        );
        t.is(isFound, someAssignment(model, at), `begin ${beginMs}`);
        if (isFound) found += 1;
      }
    }),
    { numRuns: propertyRuns(100) },
  );
  t.true(found > 10);
});

test('a proposal is judged as the model judges it', (t) => {
  fc.assert(
    fc.property(cases, fc.array(fc.nat(), { minLength: 8, maxLength: 8 }), (one, picks) => {
      const { model, groups, wanted, request } = prepared(one);
      const placements = [];
      let at = 0;
      for (let index = 0; index < one.placed.wish.count; index += 1) {
        for (const [group, each] of groups.entries()) {
          const parts = each.multipleProviders === true ? [...each.resources.keys()] : [undefined];
          for (const part of parts) {
            const provider = (picks[at % picks.length] ?? 0) % model.providers.length;
            placements.push({
              group,
              index,
              provider,
              ...(part !== undefined && { resources: [part] }),
            });
            at += 1;
          }
        }
      }
      const providers = model.providers.map(({ uid }) => ({ uid, name: uid }));
      const proposal = { kind: 'placed', providers, placements } as const;
      const problems = judge(indexOf(model), request, proposal);
      t.is(problems.length === 0, isValid(model, wanted, itemsOf(model, groups, proposal)));
    }),
    { numRuns: propertyRuns(250) },
  );
});
