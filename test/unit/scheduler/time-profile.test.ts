import test from 'ava';
import fc from 'fast-check';
import type { Interval } from '../../../services/scheduler/domain/hold.ts';
import { createProfileStore } from '../../../services/scheduler/domain/time-profile.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const END = 60;
const interval = fc
  .tuple(fc.nat(END), fc.option(fc.integer({ min: 1, max: 20 }), { nil: Infinity }))
  .map(([fromMs, ms]): Interval => ({ fromMs, toMs: fromMs + ms }));

type Step =
  | { readonly kind: 'add'; readonly amount: number; readonly span: Interval }
  | { readonly kind: 'remove'; readonly pick: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'ask'; readonly span: Interval };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant('add'),
      amount: fc.integer({ min: 1, max: 9 }),
      span: interval,
    }),
    weight: 5,
  },
  { arbitrary: fc.record({ kind: fc.constant('remove'), pick: fc.nat() }), weight: 3 },
  { arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.nat(6) }), weight: 1 },
  { arbitrary: fc.record({ kind: fc.constant('ask'), span: interval }), weight: 4 },
) as fc.Arbitrary<Step>;

type Held = { readonly amount: number; readonly span: Interval };

const sumAt = (held: readonly Held[], ms: number): number =>
  held.reduce(
    (sum, one) => sum + (one.span.fromMs <= ms && ms < one.span.toMs ? one.amount : 0),
    0,
  );

/** The instants at which anything can change, and the first of the span. */
const peakOf = (held: readonly Held[], { fromMs, toMs }: Interval): number => {
  const instants = [fromMs, ...held.map((one) => one.span.fromMs)];
  return Math.max(
    ...instants.filter((ms) => ms >= fromMs && ms < toMs).map((ms) => sumAt(held, ms)),
  );
};

test('a profile says what adding up instant by instant says', (t) => {
  let asked = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const store = createProfileStore();
      const [profile, other] = [store.create(), store.create()];
      const held: Held[] = [];
      let nowMs = 0;
      store.setNow(nowMs);
      for (const one of steps) {
        if (one.kind === 'add') {
          held.push(one);
          profile.add(one.amount, one.span);
          other.add(1, one.span);
        } else if (one.kind === 'remove' && held.length > 0) {
          const [gone] = held.splice(one.pick % held.length, 1);
          if (gone !== undefined) profile.add(-gone.amount, gone.span);
        } else if (one.kind === 'pass') {
          nowMs += one.ms;
          store.setNow(nowMs);
        } else if (one.kind === 'ask') {
          asked += 1;
          const from = { ...one.span, fromMs: Math.max(nowMs, one.span.fromMs) };
          if (from.fromMs < from.toMs) t.is(profile.peak(from), peakOf(held, from));
          const sum = sumAt(held, from.fromMs);
          t.is(profile.at(from.fromMs), sum);
          const isAbove = (limit: number) =>
            profile
              .above(limit)
              .some(({ fromMs, toMs }) => fromMs <= from.fromMs && from.fromMs < toMs);
          t.true(sum === 0 || isAbove(sum - 1));
          t.false(isAbove(sum));
        }
      }
      for (const { amount, span: its } of held) profile.add(-amount, its);
      t.is(profile.peak({ fromMs: nowMs, toMs: Infinity }), 0);
      t.true(profile.isEmpty(), 'nothing is left of what was taken away');
    }),
    { numRuns: propertyRuns(1_000) },
  );
  t.true(asked > propertyRuns(1_000));
});

test('a profile of what is held already is the same as one that grew', (t) => {
  const held = fc.record({ amount: fc.integer({ min: 1, max: 9 }), over: interval });
  fc.assert(
    fc.property(fc.array(held, { maxLength: 60 }), fc.nat(40), (all, nowMs) => {
      const store = createProfileStore();
      store.setNow(nowMs);
      const made = store.create(all);
      const grown = store.create();
      for (const { amount, over } of all) grown.add(amount, over);
      for (let ms = nowMs; ms < 2 * END; ms += 7) {
        t.is(made.at(ms), grown.at(ms));
        const over = { fromMs: ms, toMs: ms + 11 };
        t.is(made.peak(over), grown.peak(over));
      }
      for (const { amount, over } of all) made.add(-amount, over);
      t.true(made.isEmpty());
    }),
    { numRuns: propertyRuns(300) },
  );
});

test('what has passed is kept as one number', (t) => {
  const store = createProfileStore();
  const profile = store.create();
  store.setNow(0);
  for (let at = 1; at <= 1_000; at += 1) profile.add(2, { fromMs: at, toMs: Infinity });
  t.is(store.edges(), 1_000);
  store.setNow(900);
  t.is(profile.at(900), 1_800);
  t.is(store.edges(), 100);
  t.is(profile.peak({ fromMs: 900, toMs: 950 }), 1_898);
});

test('a hundred thousand claims are looked at as quickly as a few', (t) => {
  const store = createProfileStore();
  const profile = store.create();
  store.setNow(0);
  // A fixed sequence without order: neighbours come at distant times.
  const timeAt = (at: number) => (at * 7_919) % 1_000_003;
  for (let at = 0; at < 100_000; at += 1) {
    profile.add(1, { fromMs: timeAt(at), toMs: timeAt(at) + 50_000 });
  }
  const began = process.hrtime.bigint();
  let most = 0;
  for (let at = 0; at < 10_000; at += 1) {
    most = Math.max(most, profile.peak({ fromMs: timeAt(at), toMs: timeAt(at) + 90_000 }));
  }
  const usEach = Number(process.hrtime.bigint() - began) / 1e7;
  t.log(`${usEach.toFixed(2)} us a question, peak ${most}`);
  t.true(most > 4_000);
  t.true(usEach < 500, 'a look at every claim would take milliseconds');
});
