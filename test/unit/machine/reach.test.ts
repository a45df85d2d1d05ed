import test from 'ava';
import {
  afterMiss,
  isUnfit,
  type Miss,
  othersAfter,
  withoutMissed,
} from '../../../services/machine/domain/reach.ts';

const [A, B, C] = ['a', 'b', 'c'];
const MINUTE_MS = 60_000;

test('whoever could not yet goes before whoever could not lately', (t) => {
  const missed = afterMiss([], A, 0);
  t.deepEqual(othersAfter(missed, [A, B, C], { agentKey: A, nowMs: 0 }), [B, C]);
  const both = afterMiss(missed, B, 1);
  t.deepEqual(othersAfter(both, [A, B, C], { agentKey: B, nowMs: 1 }), [C]);
  t.deepEqual(withoutMissed(both, [A, B, C]), [C]);
});

test('where nobody reaches it the next one has a turn after a minute, then after longer', (t) => {
  let missed: readonly Miss[] = afterMiss(afterMiss([], A, 0), B, 0);
  const turn = (agentKey: string, nowMs: number) =>
    othersAfter(missed, [A, B], { agentKey, nowMs });
  t.deepEqual(turn(B, MINUTE_MS - 1), []);
  t.deepEqual(turn(B, MINUTE_MS), [A]);
  missed = afterMiss(afterMiss(missed, A, MINUTE_MS), B, MINUTE_MS);
  t.deepEqual(turn(A, 3 * MINUTE_MS - 1), []);
  t.deepEqual(turn(A, 3 * MINUTE_MS), [B]);
  for (let n = 0; n < 20; n += 1) missed = afterMiss(missed, B, (1 + n) * 100 * MINUTE_MS);
  const lastMs = missed.find(({ agentKey }) => agentKey === B)?.lastMs ?? 0;
  t.deepEqual(turn(A, lastMs + 5 * MINUTE_MS - 1), []);
  t.deepEqual(turn(A, lastMs + 5 * MINUTE_MS), [B], 'never longer than five minutes');
});

test('failures of one turn count once', (t) => {
  const missed = afterMiss([], A, 0);
  t.is(afterMiss(missed, A, MINUTE_MS - 1), missed);
  t.like(afterMiss(missed, A, MINUTE_MS)[0], { sinceMs: 0, lastMs: MINUTE_MS, turns: 2 });
});

test('one that is alone keeps the work, and one that is not connected has no turn', (t) => {
  const missed = afterMiss([], A, 0);
  t.deepEqual(othersAfter(missed, [A], { agentKey: A, nowMs: 0 }), []);
  t.deepEqual(othersAfter(missed, [], { agentKey: A, nowMs: 0 }), []);
});

test('a balance leaves what an agent could not reach alone for a day', (t) => {
  const missed = afterMiss([], A, 0);
  t.true(isUnfit(missed, A, 24 * 60 * MINUTE_MS - 1));
  t.false(isUnfit(missed, A, 24 * 60 * MINUTE_MS));
  t.false(isUnfit(missed, B, 0));
});
