import test from 'ava';
import { createLiveness } from '../../../services/agent/liveness.ts';
import { manualClock } from '../../support/manual-clock.ts';

test('an agent is online from the mark after the differences until its session ends', async (t) => {
  const clock = manualClock();
  const ended = new AbortController();
  const liveness = createLiveness(clock, ended.signal);
  t.false(liveness.isOnline());
  liveness.heard();
  liveness.synced();
  t.true(liveness.isOnline());
  await clock.advance(600_000);
  t.true(liveness.isOnline(), 'time alone changes nothing while it runs');
  liveness.ended();
  liveness.heard();
  t.false(liveness.isOnline());
  ended.abort();
});

test('each session has a number, and none is there without one', (t) => {
  const ended = new AbortController();
  const liveness = createLiveness(manualClock(), ended.signal);
  t.is(liveness.session(), undefined);
  liveness.began();
  const first = liveness.session();
  t.not(first, undefined);
  liveness.ended();
  t.is(liveness.session(), undefined);
  liveness.began();
  t.not(liveness.session(), undefined);
  t.not(liveness.session(), first);
  ended.abort();
});

test('an agent that was frozen changes nothing until it hears again', (t) => {
  const clock = manualClock();
  let nowMs = 0;
  // Frozen: time goes on and no timer fires.
  const frozen = { ...clock, monotonicMs: () => nowMs };
  const ended = new AbortController();
  const liveness = createLiveness(frozen, ended.signal);
  liveness.heard();
  liveness.synced();
  nowMs += 4_000;
  t.true(liveness.isOnline(), 'a busy host is not a frozen one');
  nowMs += 6_000;
  t.false(liveness.isOnline());
  t.false(liveness.isOnline());
  liveness.heard();
  t.true(liveness.isOnline());
  ended.abort();
});
