import { create } from '@bufbuild/protobuf';
import test from 'ava';
import { ControllerSchema } from '../../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { BmcType } from '../../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import type { BmcAccess } from '../../../../services/agent/bmc/bmc-access.ts';
import { controllerRef } from '../../../../services/agent/bmc/controller-ref.ts';
import type { BmcJob } from '../../../../services/agent/bmc/controllers.ts';
import { TurnNeverCame } from '../../../../services/agent/bmc/controllers.ts';
import { probe } from '../../../../services/agent/bmc/probe.ts';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import { memoryBmc, memoryDriver } from '../../../fakes/memory-bmc.ts';
import { bmcParts, controllerAt, refAt } from '../../../support/bmc-parts.ts';
import { manualClock } from '../../../support/manual-clock.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

const never = new AbortController().signal;
const job = (change: Partial<BmcJob> = {}): BmcJob => ({
  kind: 'read_power',
  beginWithinMs: 60_000,
  timeoutMs: 10_000,
  isRepeatable: true,
  signal: never,
  ...change,
});

const setUp = (dir: string) => {
  const clock = manualClock();
  const bmc = memoryBmc();
  const other = memoryBmc();
  const bmcs = new Map([
    ['bmc-1', bmc],
    ['bmc-2', other],
  ]);
  const parts = bmcParts({ directory: dir, clock, bmcs });
  const read = (address: string, change: Partial<BmcJob> = {}) =>
    parts.controllers.run(refAt(address), job(change), async (access, signal) =>
      (await access.aspect('power')).verbs.read(signal),
    );
  return { ...parts, clock, bmc, other, read };
};

const forever = (_: string, signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );

test('work on one controller is serial, and others do not wait for it', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, other, read } = setUp(dir.path);
  const gate = Promise.withResolvers<void>();
  let atOnce = 0;
  let atOnceMost = 0;
  bmc.before = async () => {
    atOnce += 1;
    atOnceMost = Math.max(atOnceMost, atOnce);
    await gate.promise;
    atOnce -= 1;
  };
  other.power = 'on';
  const waiting = [read('bmc-1'), read('bmc-1'), read('bmc-1')];
  t.is(await read('bmc-2'), 'on');
  gate.resolve();
  t.deepEqual(await Promise.all(waiting), ['off', 'off', 'off']);
  t.is(atOnceMost, 1);
  t.is(bmc.log.filter((one) => one === 'open').length, 1, 'the session is used again');
});

test('a full queue refuses with busy, and takes again when there is room', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, read } = setUp(dir.path);
  const gate = Promise.withResolvers<void>();
  bmc.before = () => gate.promise;
  const waiting = Array.from({ length: 32 }, () => read('bmc-1'));
  const refused = await t.throwsAsync(read('bmc-1'), { instanceOf: BmcError });
  t.is(refused.fault, 'busy');
  gate.resolve();
  await Promise.all(waiting);
  t.is(await read('bmc-1'), 'off');
});

test('work whose turn does not come in time is not begun', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, read } = setUp(dir.path);
  bmc.before = forever;
  const first = t.throwsAsync(read('bmc-1'));
  let hasBegun = false;
  const begins = () => {
    hasBegun = true;
  };
  const late = t.throwsAsync(read('bmc-1', { beginWithinMs: 500, begins }), {
    instanceOf: TurnNeverCame,
  });
  await clock.advance(500);
  await late;
  t.false(hasBegun);
  await clock.advance(20_000);
  await first;
});

test('a controller that hangs is given up at the deadline, and its session with it', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, read, sessions } = setUp(dir.path);
  t.is(await read('bmc-1'), 'off');
  bmc.before = forever;
  const hanging = t.throwsAsync(read('bmc-1'), { instanceOf: BmcError });
  await clock.advance(10_000);
  t.is((await hanging)?.fault, 'timeout');
  t.is(sessions.count(), 0);
  bmc.before = () => undefined;
  await clock.advance(60_000);
  t.is(await read('bmc-1'), 'off');
});

test('a driver that does not heed its deadline holds nobody up', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, read } = setUp(dir.path);
  bmc.before = () => new Promise(() => undefined);
  const hanging = t.throwsAsync(read('bmc-1'), { instanceOf: BmcError });
  await clock.advance(10_000 + 3_000);
  t.is((await hanging)?.fault, 'timeout');
  bmc.before = () => undefined;
  const next = read('bmc-1');
  await clock.advance(30_000);
  t.is(await next, 'off');
});

test('a busy controller is asked again, later and later, until the deadline', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, read } = setUp(dir.path);
  const askedAtMs: number[] = [];
  let refusals = 3;
  bmc.before = (call) => {
    if (call !== 'open') return;
    askedAtMs.push(clock.monotonicMs());
    refusals -= 1;
    if (refusals >= 0) throw new BmcError('busy', 'all sessions are taken');
  };
  const reading = read('bmc-1');
  await clock.advance(10_000);
  t.is(await reading, 'off');
  t.is(askedAtMs.length, 4);
  const gaps = askedAtMs.slice(1).map((atMs, i) => atMs - (askedAtMs[i] ?? 0));
  t.deepEqual(
    gaps,
    gaps.toSorted((a, b) => a - b),
  );
  refusals = 1_000;
  await t.notThrowsAsync(read('bmc-1'), 'the session is open already');
});

test('a session that ended unseen is replaced, once', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, read } = setUp(dir.path);
  t.is(await read('bmc-1'), 'off');
  let hasEnded = true;
  bmc.before = (call) => {
    if (call === 'open') hasEnded = false;
    if (hasEnded) throw new BmcError('unauthorized', 'the session is over');
  };
  t.is(await read('bmc-1'), 'off');
  t.is(bmc.log.filter((one) => one === 'open').length, 2);
  t.is(bmc.sessions, 1);
});

test('idle sessions are closed, and all of them at the end', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, other, clock, read, sessions } = setUp(dir.path);
  const ended = new AbortController();
  const working = sessions.work(ended.signal);
  await read('bmc-1');
  await clock.advance(60_000);
  await read('bmc-2');
  t.is(bmc.sessions, 1);
  await clock.advance(45_000);
  t.deepEqual([bmc.sessions, other.sessions], [0, 1]);
  ended.abort();
  await working;
  t.is(other.sessions, 0);
});

test('what Redfish does not offer comes from IPMI at the same host', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const [redfish, ipmi] = [memoryBmc(), memoryBmc()];
  redfish.offersConsole = false;
  const drivers = [
    memoryDriver(new Map([['https://bmc-1', redfish]]), 'redfish'),
    memoryDriver(new Map([['bmc-1', ipmi]]), 'ipmi'),
  ];
  const { controllers } = bmcParts({ directory: dir.path, clock: manualClock(), drivers });
  const driverOf = (aspect: 'power' | 'console' | 'bios') =>
    controllers.run(refAt('https://bmc-1'), job(), async (access) => {
      return (await access.aspect(aspect)).driver;
    });
  t.is(await driverOf('power'), 'redfish');
  t.deepEqual(ipmi.log, [], 'it is not even asked while Redfish has it all');
  t.is(await driverOf('console'), 'ipmi');
  const error = await t.throwsAsync(driverOf('bios'), { instanceOf: BmcError });
  t.is(error.fault, 'unsupported');
  t.regex(error.message, /redfish: .*; ipmi: /);
});

const refused = new BmcError('protocol', 'it answers with a web page');
const silent = new BmcError('unreachable', 'nothing answers');

for (const [what, known, failure] of [
  ['the record says', { type: BmcType.REDFISH }, refused],
  ['the record says', { type: BmcType.REDFISH }, silent],
  ['its certificate shows', { certificateSha256: 'ab'.repeat(32) }, refused],
] as const) {
  test(`Redfish that is ${failure.fault} is told where ${what} that it is spoken`, async (t) => {
    using dir = temporaryDir({ inMemory: true });
    const [redfish, ipmi] = [memoryBmc(), memoryBmc()];
    redfish.before = () => {
      throw failure;
    };
    const drivers = [
      memoryDriver(new Map([['bmc-1', redfish]]), 'redfish'),
      memoryDriver(new Map([['bmc-1', ipmi]]), 'ipmi'),
    ];
    const clock = manualClock();
    const { controllers } = bmcParts({ directory: dir.path, clock, drivers });
    const ref = controllerRef(
      create(ControllerSchema, { ...controllerAt('bmc-1'), ...known }),
      'r1',
    );
    const work = async (access: BmcAccess, aspect: 'power' | 'console') =>
      (await access.aspect(aspect)).driver;
    const driverOf = (aspect: 'power' | 'console') =>
      controllers.run(ref, job(), (access) => work(access, aspect));
    await t.throwsAsync(driverOf('power'), { is: failure });
    t.is(await driverOf('console'), 'ipmi', 'which never comes over Redfish');
    await t.throwsAsync(driverOf('power'), { is: failure });
    const report = await controllers.run(ref, job(), (access, signal) =>
      probe({ ref, access, clock, signal }),
    );
    const offered = report.aspects.filter((one) => one.offered).map((one) => one.aspect);
    t.deepEqual(offered, ['console']);
    t.regex(report.aspects[0]?.explanation ?? '', new RegExp(`redfish: ${failure.message}`));
  });
}

test('a probe says of one that it is one, and of two that they are two', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const bmc = memoryBmc();
  const drivers = [memoryDriver(new Map([['bmc-1', bmc]]))];
  const clock = manualClock();
  const { controllers } = bmcParts({ directory: dir.path, clock, drivers });
  const ref = refAt('bmc-1');
  const accounts = async () => {
    const report = await controllers.run(ref, job(), (access, signal) =>
      probe({ ref, access, clock, signal }),
    );
    return report.aspects.find(({ aspect }) => aspect === 'accounts')?.reading;
  };
  t.is(await accounts(), '1 account');
  bmc.accounts.set('second', 'secret');
  t.is(await accounts(), '2 accounts');
});

test('without a word of the record IPMI serves where Redfish is no Redfish', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const [redfish, ipmi] = [memoryBmc(), memoryBmc()];
  redfish.before = () => {
    throw refused;
  };
  const drivers = [
    memoryDriver(new Map([['bmc-1', redfish]]), 'redfish'),
    memoryDriver(new Map([['bmc-1', ipmi]]), 'ipmi'),
  ];
  const { controllers } = bmcParts({ directory: dir.path, clock: manualClock(), drivers });
  const driver = await controllers.run(
    refAt('bmc-1'),
    job(),
    async (access) => (await access.aspect('power')).driver,
  );
  t.is(driver, 'ipmi');
});

test('where nothing speaks Redfish it is not tried again before each call', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const ipmi = memoryBmc();
  let tried = 0;
  const absent = memoryDriver(new Map(), 'redfish');
  const drivers = [
    {
      ...absent,
      open: (...args: Parameters<typeof absent.open>) => {
        tried += 1;
        return absent.open(...args);
      },
    },
    memoryDriver(new Map([['bmc-1', ipmi]]), 'ipmi'),
  ];
  const clock = manualClock();
  const { controllers } = bmcParts({ directory: dir.path, clock, drivers });
  const read = () =>
    controllers.run(refAt('bmc-1'), job(), async (access, signal) =>
      (await access.aspect('power')).verbs.read(signal),
    );
  t.is(await read(), 'off');
  t.is(await read(), 'off');
  t.is(tried, 1);
  await clock.advance(600_001);
  t.is(await read(), 'off');
  t.is(tried, 2);
});

test('what only Redfish has is asked of it again, however short ago it was not there', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const [redfish, ipmi] = [memoryBmc(), memoryBmc()];
  ipmi.offersConsole = false;
  const there = new Map<string, typeof redfish>();
  const drivers = [
    memoryDriver(there, 'redfish'),
    memoryDriver(new Map([['bmc-1', ipmi]]), 'ipmi'),
  ];
  const { controllers } = bmcParts({ directory: dir.path, clock: manualClock(), drivers });
  const driverOf = (name: 'power' | 'console') =>
    controllers.run(refAt('bmc-1'), job(), async (access) => (await access.aspect(name)).driver);
  t.is(await driverOf('power'), 'ipmi');
  const refusal = await t.throwsAsync(driverOf('console'));
  t.regex(refusal.message, /offers no console: ipmi: .*; .*bmc-1/, 'both say why');
  there.set('bmc-1', redfish);
  t.is(await driverOf('power'), 'ipmi', 'which is not tried for what IPMI has');
  t.is(await driverOf('console'), 'redfish');
  t.is(await driverOf('power'), 'redfish', 'as it is there again');
});
