import { mock } from 'node:test';
import { createHandlerContext } from '@connectrpc/connect';
import test from 'ava';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { permissionDenied } from '../../../services/runtime/errors.ts';
import { CallState } from '../../../services/runtime/rpc/call-state.ts';
import { factsOf } from '../../../services/runtime/rpc/method-facts.ts';
import { createRechecks } from '../../../services/runtime/rpc/rechecks.ts';
import { manualClock } from '../../support/manual-clock.ts';

const PERIOD_MS = 10_000;

const METHOD = MachineService.method.watchMachines;
const FACTS = factsOf(MachineService, METHOD);

const newCall = (): CallState => {
  const context = createHandlerContext({
    service: MachineService,
    method: METHOD,
    protocolName: 'grpc',
    requestMethod: 'POST',
    url: 'https://x/',
  });
  return new CallState(FACTS, context, manualClock());
};

type Recheck = (call: CallState) => undefined | Promise<undefined>;

/** How often each was looked at, with a timer that the test moves. */
const watched = (recheck: Recheck = () => undefined) => {
  mock.timers.enable({ apis: ['setInterval'] });
  const looks = new Map<CallState, number>();
  const stage = {
    name: 'counts',
    recheck: (call: CallState) => {
      looks.set(call, (looks.get(call) ?? 0) + 1);
      return recheck(call);
    },
  };
  const rechecks = createRechecks([stage], PERIOD_MS);
  const pass = (ms: number): void => {
    for (let at = 0; at < ms; at += PERIOD_MS / 100) mock.timers.tick(PERIOD_MS / 100);
  };
  return {
    ...{ rechecks, pass },
    of: (call: CallState) => looks.get(call) ?? 0,
    [Symbol.dispose]: () => mock.timers.reset(),
  };
};

test.serial('each is looked at once in a period, whenever it came', (t) => {
  using watch = watched();
  const calls = [newCall(), newCall(), newCall()];
  for (const call of calls) {
    watch.rechecks.add(call);
    watch.pass(PERIOD_MS / 3);
  }
  watch.pass(4 * PERIOD_MS);
  const before = calls.map(watch.of);
  t.true(before.every((looks) => looks >= 4));
  watch.pass(3 * PERIOD_MS);
  t.deepEqual(
    calls.map(watch.of),
    before.map((looks) => looks + 3),
  );
});

test.serial('who is gone is not looked at, and the others still are', (t) => {
  using watch = watched();
  const [gone, there] = [newCall(), newCall()];
  watch.rechecks.add(gone);
  watch.rechecks.add(there);
  watch.rechecks.remove(gone);
  watch.rechecks.remove(gone);
  watch.pass(2 * PERIOD_MS);
  t.deepEqual([watch.of(gone), watch.of(there)], [0, 2]);
});

test.serial('after a revocation all are looked at at once', (t) => {
  using watch = watched();
  const calls = [newCall(), newCall()];
  watch.rechecks.add(calls[0] ?? newCall());
  watch.pass(PERIOD_MS / 4);
  watch.rechecks.add(calls[1] ?? newCall());
  watch.rechecks.all();
  t.deepEqual(calls.map(watch.of), [1, 1]);
});

test.serial('a refusal ends the call, also one that takes its time', async (t) => {
  const refusal = permissionDenied('PERMISSION_DENIED', 'Not any more');
  const refuse: readonly Recheck[] = [
    () => {
      throw refusal;
    },
    () => Promise.reject(refusal),
  ];
  for (const how of refuse) {
    using watch = watched(how);
    const call = newCall();
    watch.rechecks.add(call);
    watch.rechecks.all();
    await new Promise((resolve) => setImmediate(resolve));
    t.is(call.signal.reason, refusal);
  }
});

test.serial('a look that takes longer than a period is not begun twice', async (t) => {
  const slow = Promise.withResolvers<undefined>();
  using watch = watched(() => slow.promise);
  const call = newCall();
  watch.rechecks.add(call);
  watch.pass(3 * PERIOD_MS);
  t.is(watch.of(call), 1);
  slow.resolve(undefined);
  await new Promise((resolve) => setImmediate(resolve));
  watch.pass(PERIOD_MS);
  t.is(watch.of(call), 2);
});
