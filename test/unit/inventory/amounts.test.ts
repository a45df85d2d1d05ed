import test from 'ava';
import fc from 'fast-check';
import {
  type Amounts,
  amountViolations,
  lesserOf,
  type Offer,
  offersOf,
  takesAway,
  usable,
  withDefaults,
} from '../../../services/inventory/domain/amounts.ts';

const amounts = (more: Partial<Amounts> = {}): Amounts => ({
  resourceType: 'runm.memory',
  total: 64n,
  reserved: 0n,
  minUnit: 0n,
  maxUnit: 0n,
  stepSize: 0n,
  ratioMilli: 0,
  ...more,
});

const offer = (more: Partial<Offer> = {}): Offer => ({
  resourceType: 'runm.memory',
  usable: 64n,
  minUnit: 1n,
  maxUnit: 64n,
  stepSize: 1n,
  ...more,
});

const usableOf = test.macro({
  exec: (t, given: Partial<Amounts>, expected: bigint) => {
    t.is(usable(withDefaults(amounts(given))), expected);
  },
  title: (name = '') => `usable: ${name}`,
});
test('all of it when nothing else is said', usableOf, {}, 64n);
test('what is reserved is taken off first', usableOf, { reserved: 4n, ratioMilli: 2000 }, 120n);
test('all reserved is nothing', usableOf, { reserved: 64n }, 0n);
test('a part of a unit is nobody’s', usableOf, { total: 3n, ratioMilli: 1500 }, 4n);
test('large amounts stay exact', usableOf, { total: 2n ** 60n + 1n }, 2n ** 60n + 1n);

test('zeros mean defaults, also for nothing at all', (t) => {
  const { minUnit, maxUnit, stepSize, ratioMilli } = withDefaults(amounts());
  t.deepEqual([minUnit, maxUnit, stepSize, ratioMilli], [1n, 64n, 1n, 1000]);
  t.is(withDefaults(amounts({ total: 0n })).maxUnit, 1n);
  const given = amounts({ minUnit: 2n, maxUnit: 8n, stepSize: 2n, ratioMilli: 4000 });
  t.deepEqual(withDefaults(given), given);
});

test('each wrong field is named, and rows on the edge are right', (t) => {
  const known = new Set(['runm.memory']);
  const fieldsOf = (...rows: Amounts[]) =>
    amountViolations(rows.map(withDefaults), known).map(({ field }) => field);
  t.deepEqual(fieldsOf(amounts({ reserved: 64n, minUnit: 8n, maxUnit: 8n })), []);
  t.deepEqual(fieldsOf(amounts({ total: 2n ** 64n - 1n })), []);
  t.deepEqual(fieldsOf(amounts({ reserved: 65n, minUnit: 9n, maxUnit: 8n })), [
    'spec.inventories[0].reserved',
    'spec.inventories[0].min_unit',
  ]);
  t.deepEqual(fieldsOf(amounts({ total: 2n ** 63n, ratioMilli: 2000 })), [
    'spec.inventories[0].allocation_ratio_milli',
  ]);
  t.deepEqual(fieldsOf(amounts(), amounts(), amounts({ resourceType: 'magic' })), [
    'spec.inventories[1].resource_type',
    'spec.inventories[2].resource_type',
  ]);
});

const takes = test.macro({
  exec: (t, after: readonly Offer[], expected: boolean, before: readonly Offer[] = [offer()]) => {
    t.is(takesAway(before, after), expected);
  },
  title: (name = '') => `takes away: ${name}`,
});
test('the same takes nothing', takes, [offer()], false);
test('more takes nothing', takes, [offer({ usable: 65n, maxUnit: 65n })], false);
test('less does', takes, [offer({ usable: 63n })], true);
test('a smaller largest unit does', takes, [offer({ maxUnit: 63n })], true);
test('a larger smallest unit does', takes, [offer({ minUnit: 2n })], true);
test('a coarser step does', takes, [offer({ stepSize: 2n })], true);
test('a finer step that divides takes nothing', takes, [offer({ stepSize: 2n })], false, [
  offer({ stepSize: 4n }),
]);
test('a finer step that does not divide does', takes, [offer({ stepSize: 3n })], true, [
  offer({ stepSize: 4n }),
]);
test('a type that goes does', takes, [], true);
test('a type of which nothing was usable may go', takes, [], false, [offer({ usable: 0n })]);
test('a type that comes takes nothing', takes, [offer()], false, []);
test('one of two that shrinks does', takes, [offer(), offer({ resourceType: 'b' })], true, [
  offer({ resourceType: 'b', usable: 65n }),
  offer(),
]);

test('of two offers that differ in everything the lesser has the narrower of each', (t) => {
  const before = offer({ usable: 60n, minUnit: 4n, maxUnit: 32n, stepSize: 4n });
  const after = offer({ usable: 64n, minUnit: 2n, maxUnit: 16n, stepSize: 2n });
  t.deepEqual(lesserOf([before], [after]), [
    offer({ usable: 60n, minUnit: 4n, maxUnit: 16n, stepSize: 4n }),
  ]);
});

test('steps that do not divide each other meet at their common multiples', (t) => {
  const [both] = lesserOf([offer({ stepSize: 4n })], [offer({ stepSize: 6n })]);
  t.is(both?.stepSize, 12n);
});

test('a step without a common multiple that fits allows nothing and stays a small number', (t) => {
  const most = 2n ** 53n - 1n;
  const wide = { usable: 1000n, maxUnit: 1000n };
  const [both] = lesserOf(
    [offer({ ...wide, stepSize: most })],
    [offer({ ...wide, stepSize: most - 1n })],
  );
  t.is(both?.stepSize, 1001n);
});

const small = fc.bigInt({ min: 1n, max: 24n });
const anyOffer = (resourceType: string): fc.Arbitrary<Offer> =>
  fc.record({
    resourceType: fc.constant(resourceType),
    usable: fc.bigInt({ min: 0n, max: 40n }),
    minUnit: small,
    maxUnit: fc.bigInt({ min: 1n, max: 40n }),
    stepSize: small,
  });
const anyOffers = fc
  .tuple(
    fc.option(anyOffer('a'), { nil: undefined }),
    fc.option(anyOffer('b'), { nil: undefined }),
    fc.option(anyOffer('c'), { nil: undefined }),
  )
  .map((offers) => offers.filter((one) => one !== undefined));

/** As the scheduler judges an amount. */
const allows = (offers: readonly Offer[], resourceType: string, amount: bigint): boolean => {
  const found = offers.find((one) => one.resourceType === resourceType);
  if (found === undefined) return false;
  const { minUnit, maxUnit, stepSize } = found;
  const fits = amount >= minUnit && amount <= maxUnit && amount % stepSize === 0n;
  return fits && amount <= found.usable;
};

const everyAmount = (judge: (resourceType: string, amount: bigint) => void) => {
  for (const resourceType of ['a', 'b', 'c']) {
    for (let amount = 1n; amount <= 41n; amount += 1n) judge(resourceType, amount);
  }
};

test('the lesser allows exactly what both allow, and never more in all than either', (t) => {
  fc.assert(
    fc.property(anyOffers, anyOffers, (before, after) => {
      const both = lesserOf(before, after);
      const differing: string[] = [];
      everyAmount((type, amount) => {
        const expected = allows(before, type, amount) && allows(after, type, amount);
        if (allows(both, type, amount) !== expected) differing.push(`${amount} of ${type}`);
      });
      t.deepEqual(differing, []);
      for (const { resourceType, usable: offered } of both) {
        for (const one of [...before, ...after]) {
          if (one.resourceType === resourceType) t.true(offered <= one.usable);
        }
      }
    }),
  );
});

test('a change that takes nothing away allows all that was allowed', (t) => {
  const close = fc.tuple(anyOffers, anyOffers).chain(([before, other]) =>
    fc.constantFrom(
      { before, after: other },
      {
        before,
        after: before.map((one) => ({ ...one, usable: one.usable + 1n, stepSize: 1n })),
      },
    ),
  );
  fc.assert(
    fc.property(close, ({ before, after }) => {
      if (takesAway(before, after)) return;
      const lost: string[] = [];
      everyAmount((type, amount) => {
        if (allows(before, type, amount) && !allows(after, type, amount)) {
          lost.push(`${amount} of ${type}`);
        }
      });
      t.deepEqual(lost, []);
    }),
  );
});

test('the scheduler is told of usable amounts and units, not of totals', (t) => {
  const [told] = offersOf([withDefaults(amounts({ reserved: 4n, ratioMilli: 2000 }))]);
  t.deepEqual(told, offer({ usable: 120n }));
});
