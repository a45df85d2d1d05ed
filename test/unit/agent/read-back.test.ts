import test from 'ava';
import { BmcError } from '../../../services/agent/bmc-port.ts';
import { seen } from '../../../services/agent/drivers/read-back.ts';
import { manualClock } from '../../support/manual-clock.ts';

const SETTLE_MS = 30_000;

const powerOn = (reads: readonly string[]) => {
  let at = 0;
  const count = () => at;
  const read = async () => {
    at += 1;
    return reads[Math.min(at, reads.length) - 1] ?? '';
  };
  const isSo = (power: string) => power === 'on';
  return { count, look: { what: 'power on', read, isSo, tell: (power: string) => power } };
};

test('what is so at once is read once', async (t) => {
  const { look, count } = powerOn(['on']);
  const clock = manualClock();
  await seen({ clock, settleMs: SETTLE_MS }, look, new AbortController().signal);
  t.is(count(), 1);
});

test('what comes later is waited for, at a slowing pace', async (t) => {
  const clock = manualClock();
  const { look, count } = powerOn([...Array.from({ length: 8 }, () => 'off'), 'on']);
  const waiting = seen({ clock, settleMs: SETTLE_MS }, look, new AbortController().signal);
  await clock.advance(SETTLE_MS);
  await waiting;
  t.is(count(), 9);
});

test('what never comes is told with what is seen instead', async (t) => {
  const clock = manualClock();
  const { look, count } = powerOn(['off']);
  const waiting = seen({ clock, settleMs: SETTLE_MS }, look, new AbortController().signal);
  const refused = t.throwsAsync(waiting, { instanceOf: BmcError });
  await clock.advance(SETTLE_MS + 1);
  const error = await refused;
  t.is(error?.fault, 'not_applied');
  t.regex(error?.message ?? '', /took power on and 30 s later says off/);
  t.true(count() < 25);
});

test('the wait ends with the signal', async (t) => {
  const clock = manualClock();
  const { look } = powerOn(['off']);
  const ended = new AbortController();
  const waiting = seen({ clock, settleMs: SETTLE_MS }, look, ended.signal);
  const refused = t.throwsAsync(waiting, { instanceOf: BmcError });
  await clock.advance(1_000);
  ended.abort();
  t.is((await refused)?.fault, 'not_applied');
});
