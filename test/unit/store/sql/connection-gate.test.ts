import test from 'ava';
import { nextTurn, systemClock } from '../../../../services/runtime/clock.ts';
import { isDomainError } from '../../../../services/runtime/errors.ts';
import { createConnectionGate } from '../../../../services/store/sql/connection-gate.ts';

const gateOf = ({ waitMsMax = 60_000, waitersMax = 10 } = {}) =>
  createConnectionGate({ clock: systemClock, waitMsMax, waitersMax });

test('turns come one at a time, in the order of asking', async (t) => {
  const gate = gateOf();
  const order: number[] = [];
  let inside = 0;
  await Promise.all(
    [0, 1, 2, 3, 4].map(async (turn) => {
      await gate.enter();
      inside += 1;
      t.is(inside, 1);
      await Promise.resolve();
      order.push(turn);
      inside -= 1;
      gate.leave();
    }),
  );
  t.deepEqual(order, [0, 1, 2, 3, 4]);
});

test('who waits too long is refused, and the turn goes to the next', async (t) => {
  const gate = gateOf({ waitMsMax: 30 });
  await gate.enter();
  const error = await t.throwsAsync(gate.enter());
  t.true(isDomainError(error, 'unavailable', 'STORE_BUSY'));
  const next = gate.enter();
  gate.leave();
  await next;
  gate.leave();
  await gate.enter();
});

test('a full queue refuses at once', async (t) => {
  const gate = gateOf({ waitersMax: 2 });
  await gate.enter();
  const waiting = [gate.enter(), gate.enter()];
  const error = await t.throwsAsync(gate.enter());
  t.true(isDomainError(error, 'unavailable', 'STORE_BUSY'));
  gate.leave();
  await waiting[0];
  gate.leave();
  await waiting[1];
});

test('an aborted wait leaves the queue', async (t) => {
  const gate = gateOf();
  await gate.enter();
  const stop = new AbortController();
  const given = gate.enter(stop.signal);
  const next = gate.enter();
  stop.abort(new Error('no longer needed'));
  await t.throwsAsync(given, { message: 'no longer needed' });
  gate.leave();
  await next;
});

test('a turn that comes in the same moment as the abort is passed on', async (t) => {
  const gate = gateOf();
  await gate.enter();
  const stop = new AbortController();
  const given = gate.enter(stop.signal);
  const next = gate.enter();
  stop.abort(new Error('no longer needed'));
  gate.leave();
  const outcome = await given.then(
    () => 'given',
    () => 'refused',
  );
  if (outcome === 'given') {
    gate.leave();
  }
  await next;
  t.pass();
});

test('those who wait leave others their turns of the event loop', async (t) => {
  const gate = gateOf({ waitersMax: 100 });
  let through = 0;
  const others = nextTurn().then(() => through);
  const work = async (): Promise<void> => {
    await gate.enter();
    const endMs = systemClock.monotonicMs() + 2;
    while (systemClock.monotonicMs() < endMs);
    through += 1;
    gate.leave();
  };
  await Promise.all(Array.from({ length: 50 }, work));
  t.true((await others) < 10);
});
