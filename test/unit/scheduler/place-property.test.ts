/** Placement against a model that tries every assignment and counts every instant. */
import test from 'ava';
import fc from 'fast-check';
import type { RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import type { Hold } from '../../../services/scheduler/domain/hold.ts';
import { place } from '../../../services/scheduler/domain/place.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { CPU, groupOf, MEMORY, stateWith, WHOLE } from './builders.ts';

const END = 12;
const TYPES = [CPU, MEMORY];
const NAMES = ['one', 'two'];

type ProviderCase = {
  readonly usable: Readonly<Record<string, number>>;
  readonly holds: readonly Omit<Hold, 'claimUid'>[];
};

const amounts = (max: number) =>
  fc
    .tuple(fc.nat(max), fc.nat(max))
    .map(([cpu, memory]) => ({ [CPU]: cpu, [MEMORY]: Math.max(1, memory) }));

/** What is held or wanted is mostly little beside what is there, so that much of it fits. */
const little = fc.oneof({ weight: 3, arbitrary: amounts(2) }, { weight: 1, arbitrary: amounts(4) });

const provider: fc.Arbitrary<ProviderCase> = fc
  .tuple(
    amounts(8),
    fc.boolean(),
    fc.array(fc.tuple(little, fc.nat(END), fc.integer({ min: 1, max: 6 })), { maxLength: 3 }),
  )
  .map(([usable, isMetal, holds]) => ({
    usable: isMetal ? { ...usable, [WHOLE]: 1 } : usable,
    holds: holds.map(([its, fromMs, length]) => ({
      amounts: new Map(Object.entries(its).filter(([, amount]) => amount > 0)),
      fromMs,
      toMs: fromMs + length,
    })),
  }));

const group = (name: string): fc.Arbitrary<RequestGroup> =>
  fc
    .tuple(little, fc.nat(3), fc.oneof(fc.constant([]), fc.subarray(NAMES)))
    .map(([its, whole, isolateFrom]) =>
      groupOf(
        whole === 0
          ? { [WHOLE]: 1 }
          : Object.fromEntries(Object.entries(its).filter(([, amount]) => amount > 0)),
        { name, isolateFrom },
      ),
    );

const request = fc
  .tuple(fc.array(fc.nat(), { minLength: 1, maxLength: 2 }), fc.integer({ min: 1, max: 2 }))
  .chain(([wanted, count]) =>
    fc
      .tuple(...wanted.map((_, at) => group(NAMES[at] ?? '')))
      .map((groups) => ({ groups, count: groups.length === 1 ? count + 1 : count })),
  );

type Item = { readonly group: RequestGroup; readonly provider: number };

/**
 * Whether everything fits at every instant, with whole providers for themselves and isolation kept.
 */
const fits = (providers: readonly ProviderCase[], items: readonly Item[], window: number[]) => {
  const isApart = items.every((a) =>
    items.every(
      (b) =>
        a === b ||
        a.provider !== b.provider ||
        !(a.group.isolateFrom.includes(b.group.name) || b.group.isolateFrom.includes(a.group.name)),
    ),
  );
  return (
    isApart && providers.every((one, at) => window.every((now) => fitsAt(one, now, ofProvider(at))))
  );
  function ofProvider(at: number): readonly Item[] {
    return items.filter((item) => item.provider === at);
  }
};

const fitsAt = ({ usable, holds }: ProviderCase, now: number, items: readonly Item[]): boolean => {
  if (items.length === 0) return true;
  const held = holds.filter(({ fromMs, toMs }) => fromMs <= now && now < toMs);
  const wishes = items.map((item) => new Map(item.group.resources.map(asPair)));
  if (wishes.some((wish) => wish.has(WHOLE))) {
    return held.length === 0 && items.length === 1 && (usable[WHOLE] ?? 0) > 0;
  }
  return TYPES.every((type) => {
    const all = [...held.map((each) => each.amounts), ...wishes];
    const sum = all.reduce((total, each) => total + (each.get(type) ?? 0), 0);
    const isWanted = wishes.some((wish) => wish.has(type));
    return !isWanted || sum <= (usable[type] ?? 0);
  });
};

const asPair = (one: RequestGroup['resources'][number]) => [one.resourceType, one.amount] as const;

const anyAssignment = (
  providers: readonly ProviderCase[],
  groups: readonly RequestGroup[],
  window: number[],
): boolean => {
  const attempt = (items: readonly Item[]): boolean => {
    const next = groups[items.length];
    if (next === undefined) return fits(providers, items, window);
    return providers.some((_, at) => attempt([...items, { group: next, provider: at }]));
  };
  return attempt([]);
};

test('a plan is found exactly when one exists, and it fits at every instant', (t) => {
  const cases = fc.record({
    providers: fc.array(provider, { minLength: 1, maxLength: 3 }),
    wanted: request,
    fromMs: fc.nat(END),
    lengthMs: fc.integer({ min: 1, max: 6 }),
    ranking: fc.constantFrom('pack' as const, 'spread' as const, 'random' as const),
    seed: fc.string(),
  });
  let placed = 0;
  fc.assert(
    fc.property(cases, ({ providers, wanted, fromMs, lengthMs, ranking, seed }) => {
      const state = stateWith(
        providers.map(({ usable }, at) => ({ uid: `p${at}`, offers: usable })),
      );
      for (const [at, { holds }] of providers.entries()) {
        for (const [number, hold] of holds.entries()) {
          const claimUid = `held-${at}-${number}`;
          state.providers.setHold(`p${at}`, claimUid, { ...hold, claimUid });
        }
      }
      const { groups, count } = wanted;
      const plan = place(state.providers, {
        spec: { groups, count, ranking },
        window: { fromMs, toMs: fromMs + lengthMs },
        seed,
      });
      const window = Array.from({ length: lengthMs }, (_, at) => fromMs + at);
      const all = groups.flatMap((one) => Array.from({ length: count }, () => one));
      const exists = anyAssignment(providers, all, window);
      t.is(plan.kind, exists ? 'placed' : 'refused');
      if (plan.kind !== 'placed') return;
      placed += 1;
      const items = plan.placements.flatMap(({ group: of, provider: number }): Item[] => {
        const one = groups[of];
        const at = Number(plan.providers[number]?.uid.slice(1));
        return one === undefined ? [] : [{ group: one, provider: at }];
      });
      t.is(items.length, all.length);
      t.true(fits(providers, items, window));
    }),
    { numRuns: propertyRuns(600) },
  );
  t.true(placed > propertyRuns(50), 'the cases place something');
});
