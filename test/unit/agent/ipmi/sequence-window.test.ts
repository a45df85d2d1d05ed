import test from 'ava';
import fc from 'fast-check';
import {
  AHEAD_MAX,
  ANY_AHEAD,
  createSequenceWindow,
  nextSequence,
} from '../../../../services/agent/drivers/ipmi/wire/sequence-window.ts';

const MAX = 0xffff_ffff;

test('each number is taken once, in any order within the window', (t) => {
  const window = createSequenceWindow(AHEAD_MAX);
  t.deepEqual([100, 101, 99, 101, 110, 95, 110, 95].map(window.take), [
    ...[true, true, true, false, true, true, false, false],
  ]);
});

test('what is too far ahead or behind is not taken', (t) => {
  const window = createSequenceWindow(AHEAD_MAX);
  t.true(window.take(1_000));
  t.false(window.take(1_016));
  t.true(window.take(1_015));
  t.true(window.take(999));
  t.false(window.take(998));
  t.false(window.take(0));
});

test('a console hears again after a gap of any length, and nothing of it twice', (t) => {
  const window = createSequenceWindow(ANY_AHEAD);
  t.deepEqual([5, 5_000, 5_000, 4_990, 4_990, 5, 4_983, 5_001].map(window.take), [
    ...[true, true, false, true, false, false, false, true],
  ]);
});

test('the numbers wrap without 0', (t) => {
  t.is(nextSequence(MAX), 1);
  t.is(nextSequence(0), 1);
  const window = createSequenceWindow(AHEAD_MAX);
  t.true(window.take(MAX));
  t.true(window.take(1));
  t.false(window.take(MAX));
  t.true(window.take(MAX - 1));
});

test('whatever comes, a model that remembers everything agrees', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: MAX - 1_000 }),
      fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 200 }),
      (start, steps) => {
        const window = createSequenceWindow(AHEAD_MAX);
        const seen = new Set<number>();
        let newest = start;
        t.true(window.take(start));
        seen.add(start);
        for (const step of steps) {
          const sequence = newest + step;
          if (sequence <= 0) continue;
          const isNew = step <= 15 && step >= -16 && !seen.has(sequence);
          t.is(window.take(sequence), isNew, `${newest} ${step}`);
          if (!isNew) continue;
          seen.add(sequence);
          newest = Math.max(newest, sequence);
        }
      },
    ),
  );
});
