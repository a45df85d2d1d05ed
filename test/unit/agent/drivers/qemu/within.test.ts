import test from 'ava';
import { within } from '../../../../../services/agent/drivers/qemu/within.ts';
import { systemClock as clock } from '../../../../../services/runtime/clock.ts';

const expired = () => new Error('too late');
const never = () => new Promise<never>(() => undefined);

test('work in time gives its answer, and its signal aborts when it is over', async (t) => {
  let given: AbortSignal | undefined;
  const answer = await within({ clock, limitMs: 60_000, expired }, async (signal) => {
    given = signal;
    return 42;
  });
  t.is(answer, 42);
  t.true(given?.aborted);
});

test('work that takes too long ends with the limit’s own error', async (t) => {
  await t.throwsAsync(within({ clock, limitMs: 5, expired }, never), { message: 'too late' });
});

test('the caller’s signal ends it with the caller’s reason, before and meanwhile', async (t) => {
  const stop = new AbortController();
  const limit = { clock, limitMs: 60_000, expired, signal: stop.signal };
  const waiting = within(limit, never);
  stop.abort(new Error('stopped'));
  await t.throwsAsync(waiting, { message: 'stopped' });
  await t.throwsAsync(
    within(limit, async () => 1),
    { message: 'stopped' },
  );
});
