import test from 'ava';
import { createLeaderTime } from '../../../services/scheduler/domain/leader-time.ts';

const clockAt = (wallMs: number, monotonicMs: number) => {
  const at = { wallMs, monotonicMs };
  return { at, source: { wallMs: () => at.wallMs, monotonicMs: () => at.monotonicMs } };
};

test('a leader goes on from the later of its own time and the last commit', (t) => {
  t.is(createLeaderTime(clockAt(1000, 0).source, 5000).nowMs(), 5000);
  t.is(createLeaderTime(clockAt(9000, 0).source, 5000).nowMs(), 9000);
});

test('a wall clock that is set back neither turns the time back nor stops it', (t) => {
  const { at, source } = clockAt(10_000, 0);
  const time = createLeaderTime(source, 0);
  t.is(time.nowMs(), 10_000);
  at.wallMs = 2_000;
  at.monotonicMs = 500;
  t.is(time.nowMs(), 10_500);
  at.wallMs = 20_000;
  t.is(time.nowMs(), 20_000);
});
