import test from 'ava';
import { systemRandom } from '../../../../services/runtime/random.ts';
import { openEmbeddedCoordination } from '../../../../services/store/coordination/embedded/open.ts';
import {
  coordinationUnavailable,
  leaseLost,
} from '../../../../services/store/coordination/failures.ts';
import { type HeldLease, holdLease } from '../../../../services/store/coordination/held-lease.ts';
import type { Coordination, Lease } from '../../../../services/store/coordination/port.ts';
import { type ManualClock, manualClock } from '../../../support/manual-clock.ts';
import { silentLog } from '../../../support/silent-log.ts';

const TTL_MS = 1000;

type Renew = (lease: Lease, signal: AbortSignal) => Promise<void>;

/** A lease of a store in memory, whose renewals go through `renew`. */
const hold = async (
  clock: ManualClock,
  renew: Renew,
): Promise<{ readonly held: HeldLease; readonly store: Coordination }> => {
  const common = { clock, random: systemRandom, log: silentLog };
  const store = openEmbeddedCoordination({ ...common, file: ':memory:' });
  const coordination: Coordination = {
    ...store,
    grantLease: async (ttlMs, signal) => {
      const lease = await store.grantLease(ttlMs, signal);
      return { ...lease, keepAlive: (renewSignal) => renew(lease, renewSignal) };
    },
  };
  const { signal } = new AbortController();
  const holding = holdLease({ ...common, coordination }, TTL_MS, signal);
  await clock.advance(0);
  return { held: await holding, store };
};

const renewed: Renew = (lease, signal) => lease.keepAlive(signal);

test('a lease that is renewed is held for long', async (t) => {
  const clock = manualClock();
  const { held, store } = await hold(clock, renewed);
  await clock.advance(100 * TTL_MS);
  t.false(held.signal.aborted);
  await held.revoke();
  await store.close();
});

test('renewals that hang end it before the store may', async (t) => {
  const clock = manualClock();
  const { held } = await hold(clock, () => new Promise(() => undefined));
  await clock.advance(TTL_MS * 0.85);
  t.false(held.signal.aborted);
  await clock.advance(TTL_MS * 0.1);
  t.true(held.signal.aborted);
});

test('renewals that fail are tried again in time', async (t) => {
  const clock = manualClock();
  let failures = 3;
  const { held } = await hold(clock, async (lease, signal) => {
    failures -= 1;
    if (failures >= 0) throw coordinationUnavailable('down');
    await lease.keepAlive(signal);
  });
  await clock.advance(3 * TTL_MS);
  t.false(held.signal.aborted);
});

test('the time of a renewal counts from when it was sent', async (t) => {
  const clock = manualClock();
  let answers = 0;
  // The store renews at once and answers late; after the first answer it is not reached again.
  const { held } = await hold(clock, async (lease, signal) => {
    if (answers > 0) throw coordinationUnavailable('down');
    await lease.keepAlive(signal);
    await clock.sleep(300, signal);
    answers += 1;
  });
  // Sent at about 300 ms and answered at about 600 ms, it ends before 300 + 1000 ms.
  await clock.advance(1000);
  t.is(answers, 1);
  t.false(held.signal.aborted);
  await clock.advance(300);
  t.true(held.signal.aborted);
});

test('a lease that the store has ended is lost at the next renewal', async (t) => {
  const clock = manualClock();
  const { held } = await hold(clock, async (lease) => {
    throw leaseLost(lease.id);
  });
  await clock.advance(TTL_MS / 2);
  t.true(held.signal.aborted);
  t.regex(String(held.signal.reason), /has ended/);
});

test('an ended lease is ended once, with its first reason', async (t) => {
  const clock = manualClock();
  const { held } = await hold(clock, renewed);
  let times = 0;
  held.signal.addEventListener('abort', () => {
    times += 1;
  });
  held.stop('first');
  held.stop('second');
  await held.revoke();
  await held.revoke();
  t.is(times, 1);
  t.regex(String(held.signal.reason), /first/);
});

test('who was stopped past the end knows it before any timer does', async (t) => {
  const clock = manualClock();
  let stoppedMs = 0;
  const late = {
    ...clock,
    monotonicMs: () => clock.monotonicMs() + stoppedMs,
  };
  const { held } = await hold(late, renewed);
  t.false(held.signal.aborted);
  stoppedMs = 2 * TTL_MS;
  t.true(held.signal.aborted);
  t.regex(String(held.signal.reason), /in time/);
});
