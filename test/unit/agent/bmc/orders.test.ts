import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { type BmcOrder, BmcOrderSchema } from '../../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { PowerChange } from '../../../../gen/runmachine/machine/v1/hardware_pb.ts';
import { createOrders } from '../../../../services/agent/bmc/orders.ts';
import { memoryBmc } from '../../../fakes/memory-bmc.ts';
import { bmcParts, controllerAt, PROVIDER, resultsIn } from '../../../support/bmc-parts.ts';
import { eventually } from '../../../support/eventually.ts';
import { manualClock } from '../../../support/manual-clock.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

const orderOf = (work: BmcOrder['work']): BmcOrder =>
  create(BmcOrderSchema, {
    provider: PROVIDER,
    controller: controllerAt('bmc-1'),
    timeout: durationFromMs(10_000),
    work,
  });

const READ = orderOf({
  case: 'readPower',
  value: { $typeName: 'runmachine.agent.v1.BmcReadPower' },
});
const ON = orderOf({
  case: 'changePower',
  value: { $typeName: 'runmachine.agent.v1.BmcChangePower', change: PowerChange.ON },
});

const setUp = (directory: string) => {
  const clock = manualClock();
  const bmc = memoryBmc();
  const parts = bmcParts({ directory, clock, bmcs: new Map([['bmc-1', bmc]]) });
  const ended = new AbortController();
  let session: number | undefined = 1;
  const orders = createOrders({
    ...parts,
    journal: parts.journal.bmc,
    signal: ended.signal,
    session: () => session,
  });
  const inSession = (number: number | undefined): void => {
    session = number;
  };
  const results = () => resultsIn(parts.journal);
  const take = (id: string, order: BmcOrder, validForMs = 60_000) =>
    orders.take({ id, validForMs, order });
  return { ...parts, bmc, clock, orders, results, take, inSession, die: () => ended.abort() };
};

const forever = () => new Promise<void>(() => undefined);

test('an order is answered once, and a repeat with what was answered', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, orders, results, take } = setUp(dir.path);
  take('a', ON);
  take('a', ON);
  await orders.idle();
  t.is(bmc.log.filter((one) => one === 'on').length, 1);
  take('a', ON);
  await orders.idle();
  t.is(bmc.log.filter((one) => one === 'on').length, 1);
  const [first, second] = results();
  t.deepEqual(second, first);
  t.true(first?.succeeded);
});

test('an order that waits too long for its turn has expired, and was not begun', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, orders, results, take } = setUp(dir.path);
  bmc.before = (_, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  take('slow', READ);
  take('late', ON, 1_000);
  await clock.advance(1_000);
  await eventually(() => results().some(({ id, reason }) => id === 'late' && reason === 'EXPIRED'));
  await clock.advance(20_000);
  await orders.idle();
  t.false(bmc.log.includes('on'));
  t.is(results().find(({ id }) => id === 'slow')?.reason, 'BMC_TIMEOUT');
});

test('more orders than a controller has room for are answered busy', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, orders, results, take } = setUp(dir.path);
  const gate = Promise.withResolvers<void>();
  bmc.before = () => gate.promise;
  for (let i = 0; i < 40; i += 1) take(`order ${i}`, READ);
  await eventually(() => results().length === 8);
  t.true(results().every(({ reason }) => reason === 'BMC_BUSY'));
  gate.resolve();
  await orders.idle();
  t.is(results().filter(({ succeeded }) => succeeded).length, 32);
});

test('an agent that dies tells of a change what it sees, and repeats a read', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const first = setUp(dir.path);
  first.bmc.before = (call) => (call === 'on' ? forever() : undefined);
  first.take('change', ON);
  await eventually(() => first.bmc.log.includes('on'));
  first.take('read', READ);
  await eventually(() => first.journal.bmc.openOrders().length === 2);
  first.die();
  first.journal.close();
  const second = setUp(dir.path);
  second.bmc.power = 'on';
  second.orders.resume();
  await second.orders.idle();
  const change = second.results().find(({ id }) => id === 'change');
  t.is(change?.reason, 'OUTCOME_UNKNOWN');
  t.regex(change?.message ?? '', /the power is now "on"/);
  t.false(second.bmc.log.includes('on'));
  t.true(second.results().find(({ id }) => id === 'read')?.succeeded);
});

test('a change is begun only in the session in which it was given last', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, orders, results, take, inSession, journal } = setUp(dir.path);
  const gate = Promise.withResolvers<void>();
  bmc.before = () => gate.promise;
  take('read', READ);
  take('given up', ON);
  take('given again', ON);
  await eventually(() => journal.bmc.openOrders().length === 3);
  inSession(undefined);
  inSession(2);
  take('given again', ON);
  gate.resolve();
  await orders.idle();
  t.true(results().find(({ id }) => id === 'read')?.succeeded);
  const given = results().find(({ id }) => id === 'given up');
  t.is(given?.reason, 'EXPIRED');
  t.regex(given?.message ?? '', /session in which it was given ended/);
  t.true(results().find(({ id }) => id === 'given again')?.succeeded);
  t.is(bmc.log.filter((one) => one === 'on').length, 1);
});

test('an agent that died before it began a change begins it when it is given again', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const first = setUp(dir.path);
  const gate = Promise.withResolvers<void>();
  first.bmc.before = () => gate.promise;
  first.take('read', READ);
  first.take('given up', ON);
  first.take('given again', ON);
  await eventually(() => first.journal.bmc.openOrders().length === 3);
  first.die();
  first.journal.close();
  gate.resolve();
  const second = setUp(dir.path);
  second.orders.resume();
  await second.orders.idle();
  t.false(second.bmc.log.includes('on'));
  second.take('given again', ON);
  await second.orders.idle();
  t.is(second.bmc.log.filter((one) => one === 'on').length, 1);
  t.true(second.results().find(({ id }) => id === 'given again')?.succeeded);
  t.is(
    second.results().find(({ id }) => id === 'given up'),
    undefined,
  );
});

test('what was not begun when the agent died is begun only while it is valid', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const first = setUp(dir.path);
  const receivedMs = first.clock.now().getTime();
  for (const [id, work, validForMs] of [
    ['short', 'change_power', 5],
    ['long', 'read_power', 60_000],
  ] as const) {
    const bytes = new Uint8Array();
    first.journal.bmc.receiveOrders([{ id, work, bytes, receivedMs, validForMs }]);
  }
  first.journal.close();
  const second = setUp(dir.path);
  await second.clock.advance(100);
  second.orders.resume();
  await second.orders.idle();
  t.is(second.results().find(({ id }) => id === 'short')?.reason, 'EXPIRED');
  // Its content is empty here, so that it names no controller.
  t.is(second.results().find(({ id }) => id === 'long')?.reason, 'INVALID_FIELD');
});

test('an order without a controller, or with work that is not known, says so', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { orders, results, take } = setUp(dir.path);
  take('nowhere', create(BmcOrderSchema, { provider: PROVIDER, work: READ.work }));
  take('nothing', orderOf({ case: undefined }));
  await orders.idle();
  t.regex(results().find(({ id }) => id === 'nowhere')?.message ?? '', /no management controller/);
  t.regex(results().find(({ id }) => id === 'nothing')?.message ?? '', /does not know the work/);
});
