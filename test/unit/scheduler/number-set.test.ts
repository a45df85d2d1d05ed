import test from 'ava';
import fc from 'fast-check';
import { NumberSet } from '../../../services/scheduler/domain/number-set.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const MOST = 20_000;

/** Some of them whole runs, so that sets become large, here and there. */
const changes = fc.array(
  fc.record({
    from: fc.nat({ max: MOST }),
    count: fc.constantFrom(1, 3, 700, 2_000),
    step: fc.constantFrom(1, 1, 5, -1),
    isIn: fc.boolean(),
  }),
  { maxLength: 8 },
);

function* numbersOf(change: { from: number; count: number; step: number }): Generator<number> {
  for (let at = 0; at < change.count; at += 1) {
    const n = change.from + at * change.step;
    if (n >= 0) yield n;
  }
}

test('a set of numbers has what was put in and not taken out, wherever it begins', (t) => {
  fc.assert(
    fc.property(changes, fc.nat({ max: MOST }), (all, from) => {
      const set = new NumberSet();
      const model = new Set<number>();
      for (const change of all) {
        for (const n of numbersOf(change)) {
          if (change.isIn) set.add(n);
          else set.delete(n);
          if (change.isIn) model.add(n);
          else model.delete(n);
        }
      }
      const members = [...model].sort((a, b) => a - b);
      t.is(set.size, model.size);
      t.deepEqual([...set], members);
      for (const n of [from, 0, MOST * 3, ...members.slice(0, 3)]) t.is(set.has(n), model.has(n));
      t.is(set.next(from), members.find((n) => n >= from) ?? -1);
      const words = new Uint32Array(1_000);
      words[3] = 1;
      set.orInto(words);
      const bits = [...words.keys()].flatMap((word) =>
        Array.from({ length: 32 }, (_, bit) => word * 32 + bit).filter(
          (_, bit) => ((words[word] ?? 0) & (1 << bit)) !== 0,
        ),
      );
      const inWords = [...new Set([96, ...members])].filter((n) => n < 32_000);
      t.deepEqual(
        bits,
        inWords.sort((a, b) => a - b),
      );
    }),
    { numRuns: propertyRuns(150) },
  );
});

test('a large set far from the first number costs what lies between its ends', (t) => {
  const set = new NumberSet();
  const made: number[] = [];
  const Original = globalThis.Uint32Array;
  const counting = class extends Original {
    constructor(length: number) {
      super(length);
      made.push(length);
    }
  };
  Object.assign(globalThis, { Uint32Array: counting });
  try {
    for (let n = 1_000_000; n < 1_005_000; n += 1) set.add(n);
  } finally {
    Object.assign(globalThis, { Uint32Array: Original });
  }
  t.is(set.size, 5_000);
  t.true(Math.max(...made) < 1_000, 'words');
});
