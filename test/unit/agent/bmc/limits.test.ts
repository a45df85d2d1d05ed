import test from 'ava';
import {
  afterSample,
  NEW_PARALLEL_LIMIT,
  type ParallelLimit,
  paceAfter,
  type Sample,
  usualAfter,
} from '../../../../services/agent/domain/parallel-limit.ts';
import {
  afterRefusal,
  afterSignIn,
  maySignIn,
  NEW_SIGN_IN,
} from '../../../../services/agent/domain/sign-in-limit.ts';

const GOOD: Sample = { outcome: 'answered', durationMs: 50, usualMs: 50 };
const SILENT: Sample = { outcome: 'timeout', durationMs: 5_000, usualMs: 50 };

const after = (samples: readonly Sample[], everyMs = 10): ParallelLimit =>
  samples.reduce((limit, sample, i) => afterSample(limit, sample, i * everyMs), NEW_PARALLEL_LIMIT);

const times = (count: number, sample: Sample): Sample[] =>
  Array.from({ length: count }, () => sample);

test('more controllers are worked on at once while they answer as usual', (t) => {
  t.true(after(times(1_000, GOOD)).limit > 2 * NEW_PARALLEL_LIMIT.limit);
  t.is(after(times(1_000_000, GOOD)).limit, 512);
});

test('fewer are when those that used to answer fall silent, are busy or slow', (t) => {
  for (const sample of [
    SILENT,
    { ...SILENT, outcome: 'busy' as const },
    { ...GOOD, durationMs: 2_000 },
  ]) {
    t.true(after([sample]).limit < NEW_PARALLEL_LIMIT.limit, sample.outcome);
  }
  t.is(after(times(100, SILENT), 2_000).limit, 4, 'a few always go on');
});

test('the limit falls once for all that suffer at the same time', (t) => {
  t.is(after(times(50, SILENT), 1).limit, after([SILENT]).limit);
});

test('controllers that never answered say nothing about the others', (t) => {
  const dead = { ...SILENT, usualMs: undefined };
  t.deepEqual(after(times(100, dead)), NEW_PARALLEL_LIMIT);
});

test('a controller that is busy is asked slower and slower, and faster again afterwards', (t) => {
  t.deepEqual(
    [0, 250, 500, 10_000].map((pace) => paceAfter(pace, 'busy')),
    [250, 500, 1_000, 10_000],
  );
  t.deepEqual(
    [1_000, 500, 249, 0].map((pace) => paceAfter(pace, 'answered')),
    [500, 250, 0, 0],
  );
  t.is(usualAfter(undefined, 80), 80);
  t.is(usualAfter(80, 160), 90);
});

const MINUTE_MS = 60_000;
const at = (nowMs: number, hasStaged = false) => ({ generation: 3n, hasStaged, nowMs });

test('refused credentials are tried again after a pause that grows to a day', (t) => {
  let record = NEW_SIGN_IN;
  const pauses = [];
  let nowMs = 0;
  for (let i = 0; i < 7; i += 1) {
    record = afterRefusal(record, 3n, nowMs);
    pauses.push((record.notBeforeMs - nowMs) / MINUTE_MS);
    t.deepEqual(maySignIn(record, at(record.notBeforeMs - 1)), {
      kind: 'wait',
      untilMs: record.notBeforeMs,
    });
    t.is(maySignIn(record, at(record.notBeforeMs)).kind, 'try');
    nowMs = record.notBeforeMs;
  }
  t.deepEqual(pauses, [10, 30, 120, 480, 1440, 1440, 1440]);
});

test('a changed secret is tried at once, and its refusals are counted anew', (t) => {
  const refused = afterRefusal(afterRefusal(NEW_SIGN_IN, 2n, 0), 2n, 0);
  t.deepEqual(maySignIn(refused, at(1)), { kind: 'try', which: ['present'] });
  t.is(afterRefusal(refused, 3n, 0).refusals, 1);
});

test('staged values follow the present ones, and precede them once they have worked', (t) => {
  t.deepEqual(maySignIn(NEW_SIGN_IN, at(0, true)), { kind: 'try', which: ['present', 'staged'] });
  t.deepEqual(maySignIn(afterSignIn(3n, 'staged'), at(0, true)), {
    kind: 'try',
    which: ['staged', 'present'],
  });
});

test('where both were refused each pause allows one attempt', (t) => {
  const once = afterRefusal(NEW_SIGN_IN, 3n, 0);
  const twice = afterRefusal(once, 3n, 0);
  const later = at(10_000 * MINUTE_MS, true);
  t.deepEqual(maySignIn(once, later), { kind: 'try', which: ['present'] });
  t.deepEqual(maySignIn(twice, later), { kind: 'try', which: ['staged'] });
});
