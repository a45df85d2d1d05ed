import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import test from 'ava';
import {
  type AbsentSchema,
  AssignmentSchema,
  type ServerSchema,
  WantedPower,
} from '../../../../gen/runmachine/agent/v1/assignment_pb.ts';
import { PowerState } from '../../../../gen/runmachine/machine/v1/machine_pb.ts';
import { BmcError } from '../../../../services/agent/bmc-port.ts';
import { createServerKeeper } from '../../../../services/agent/work/server-keeper.ts';
import { memoryBmc } from '../../../fakes/memory-bmc.ts';
import {
  bmcParts,
  controllerAt,
  observationIn,
  PROVIDER,
  secretStore,
} from '../../../support/bmc-parts.ts';
import { eventually } from '../../../support/eventually.ts';
import { manualClock } from '../../../support/manual-clock.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

const UID = '01890000-0000-7000-8000-000000000001';

type Content =
  | { case: 'server'; value: MessageInitShape<typeof ServerSchema> }
  | { case: 'absent'; value: MessageInitShape<typeof AbsentSchema> };

const setUp = (directory: string, address = 'bmc-1') => {
  const clock = manualClock();
  const bmc = memoryBmc();
  const secrets = secretStore();
  const parts = bmcParts({ directory, clock, secrets, bmcs: new Map([[address, bmc]]) });
  let isOnline = true;
  const keeper = createServerKeeper({ ...parts, owns: () => true, isOnline: () => isOnline });
  let generation = 0n;
  const assign = (content: Content, uid = UID): void => {
    generation += 1n;
    const version = { uid, incarnation: 1n, generation };
    const assignment = create(AssignmentSchema, { ...version, content } as MessageInitShape<
      typeof AssignmentSchema
    >);
    const bytes = toBinary(AssignmentSchema, assignment);
    parts.journal.hold({ ...version, digest: new Uint8Array(), bytes });
    keeper.poke(uid);
  };
  const want = (server: Omit<MessageInitShape<typeof ServerSchema>, '$typeName'>): void =>
    assign({
      case: 'server',
      value: {
        provider: PROVIDER,
        controller: controllerAt(address),
        ...server,
      } as MessageInitShape<typeof ServerSchema>,
    });
  const seen = () => observationIn(parts.journal);
  /** Lets time pass until what is told is as wanted. */
  const until = (wanted: (told: NonNullable<ReturnType<typeof seen>>) => boolean) =>
    eventually(async () => {
      await clock.advance(500);
      const told = seen();
      return told !== undefined && wanted(told);
    });
  const goOnline = (online: boolean): void => {
    isOnline = online;
  };
  return { ...parts, bmc, clock, keeper, assign, want, until, seen, goOnline };
};

const ON = { power: WantedPower.ON, bootGeneration: 1n };
const isOn = ({ power }: { power: PowerState }) => power === PowerState.ON;
const isOff = ({ power }: { power: PowerState }) => power === PowerState.OFF;

test('a server that cannot be asked to power off is forced where that is allowed', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, keeper, want, until } = setUp(dir.path);
  want(ON);
  await until(isOn);
  bmc.before = (call) => {
    if (call === 'soft_off') throw new BmcError('unsupported', 'no GracefulShutdown');
  };
  want({ ...ON, power: WantedPower.OFF, forceAfter: { seconds: 3_600n, nanos: 0 } });
  await until(isOff);
  t.deepEqual(
    bmc.log.filter((call) => call.endsWith('off')),
    ['soft_off', 'off'],
  );
  await keeper.stop();
});

test('a server that refuses to be asked is forced only where that is allowed', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, keeper, want, until } = setUp(dir.path);
  want(ON);
  await until(isOn);
  bmc.before = (call) => {
    if (call === 'soft_off') throw new BmcError('refused', 'not now');
  };
  want({ ...ON, power: WantedPower.OFF });
  await clock.advance(120_000);
  t.false(bmc.log.includes('off'), 'without a limit it is never forced');
  want({ ...ON, power: WantedPower.OFF, forceAfter: { seconds: 0n, nanos: 0 } });
  await until(isOff);
  t.true(bmc.log.includes('off'));
  await keeper.stop();
});

test('what is to be absent is switched off by an agent that never saw it', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, keeper, assign, until } = setUp(dir.path);
  bmc.power = 'on';
  assign({ case: 'absent', value: { controller: controllerAt('bmc-1'), provider: PROVIDER } });
  await until(({ gone }) => gone);
  t.true(bmc.log.includes('off'));
  await keeper.stop();
});

test('a server that has its next machine is not switched off for the one before', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, journal, keeper, assign, want, until } = setUp(dir.path);
  want(ON);
  await until(isOn);
  let isAway = true;
  bmc.before = () => {
    if (isAway) throw new BmcError('unreachable', 'its switch is off');
  };
  const at = { controller: controllerAt('bmc-1'), provider: PROVIDER };
  assign({ case: 'absent', value: at });
  await until(({ problem }) => problem !== undefined);
  const value = { ...at, ...ON, bootedGeneration: 1n };
  assign({ case: 'server', value }, '01890000-0000-7000-8000-000000000002');
  isAway = false;
  await eventually(async () => {
    await clock.advance(10_000);
    return journal.bmc.server(UID)?.isGone;
  });
  t.false(bmc.log.includes('off'));
  t.is(bmc.power, 'on');
  await keeper.stop();
});

test('of an unknown object without a controller there is nothing to switch off', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, keeper, assign, until } = setUp(dir.path);
  bmc.power = 'on';
  assign({ case: 'absent', value: {} });
  await until(({ gone }) => gone);
  t.deepEqual(bmc.log, []);
  await keeper.stop();
});

test('a server is ready when its console has shown the text, and not before', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, keeper, want, until, seen } = setUp(dir.path);
  const readyWhen = { condition: { case: 'consoleText' as const, value: 'login:' } };
  want({ ...ON, access: true, readyWhen });
  await until(isOn);
  await eventually(() => bmc.serial);
  bmc.serial?.push('booting… log');
  await clock.advance(5_000);
  t.false(seen()?.ready);
  bmc.serial?.push('in: ');
  bmc.serial?.push('host login: ');
  await until(({ ready }) => ready);
  t.true(seen()?.ready);
  await keeper.stop();
});

test('a server that was powered off before it was ready is ready at a later boot', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, keeper, want, until } = setUp(dir.path);
  const readyWhen = { condition: { case: 'consoleText' as const, value: 'login:' } };
  const server = { ...ON, access: true, readyWhen };
  want(server);
  await until(isOn);
  await eventually(() => bmc.serial);
  want({ ...server, power: WantedPower.OFF });
  await until(isOff);
  await eventually(() => bmc.serial === undefined);
  want({ ...server, bootGeneration: 2n });
  await until(isOn);
  await eventually(() => bmc.serial);
  bmc.serial?.push('host login: ');
  await until(({ ready }) => ready);
  t.pass();
  await keeper.stop();
});

test('what cannot be watched on a server is told as a problem with a cure', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { keeper, want, until, seen } = setUp(dir.path);
  want({ ...ON, readyWhen: { condition: { case: 'tcpPort', value: 22 } } });
  await until((told) => isOn(told) && told.problem !== undefined);
  t.is(seen()?.problem?.reason, 'NOT_SUPPORTED');
  t.regex(seen()?.problem?.message ?? '', /tcp_port.*use "running"/);
  t.false(seen()?.ready);
  await keeper.stop();
});

test('a refused password is told with its cause, and tried no more often for being wanted', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, keeper, want, until, seen } = setUp(dir.path);
  bmc.accounts.set('admin', 'another');
  want(ON);
  await until(({ problem }) => problem?.reason === 'BMC_UNAUTHORIZED');
  t.regex(seen()?.problem?.message ?? '', /Change the secret/);
  await clock.advance(9 * 60_000);
  t.is(bmc.log.filter((call) => call === 'refused').length, 1);
  await keeper.stop();
});

test('what is told of a server does not say where its controller is', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, journal, keeper, want, until, seen } = setUp(dir.path, 'R1U1-BMC.lab:8443');
  const said = (what: string) =>
    `${what} at BMC https://r1u1-bmc.lab:8443 (R1U1-bmc.lab) leads to "https://10.9.9.9/redfish"`;
  bmc.before = (call) => {
    if (call === 'read power') throw new BmcError('protocol', said('GET /redfish/v1/'));
  };
  want(ON);
  await until(({ problem }) => problem !== undefined);
  const problem = seen()?.problem?.message ?? '';
  t.regex(problem, /GET \/redfish\/v1\/ at BMC \(address\).*provider probe/);
  t.notRegex(problem, /bmc\.lab|10\.9\.9\.9/i);
  bmc.before = (call) => {
    if (call === 'soft_off') throw new BmcError('refused', said('POST'));
  };
  await until(isOn);
  want({ ...ON, power: WantedPower.OFF });
  await until(() => bmc.log.includes('soft_off'));
  const told = Buffer.concat(journal.reportsAfter(0n, 1_000).map(({ bytes }) => bytes)).toString();
  t.regex(told, /it cannot be asked to power off: POST/);
  t.notRegex(told, /bmc\.lab|10\.9\.9\.9/i);
  await keeper.stop();
});

test('a server that flaps for a moment is not taken for switched off', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, keeper, want, until, seen } = setUp(dir.path);
  want(ON);
  await until(isOn);
  let reads = 0;
  bmc.before = (call) => {
    if (call !== 'read power') return;
    reads += 1;
    bmc.power = reads === 1 ? 'off' : 'on';
  };
  await clock.advance(120_000);
  t.true(reads > 2);
  t.false(seen()?.guestOff);
  t.is(bmc.log.filter((call) => call === 'on').length, 1);
  await keeper.stop();
});

test('a server that nobody wants here is left as it is, and forgotten', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, clock, goOnline, journal, keeper, want, until } = setUp(dir.path);
  want(ON);
  await until(isOn);
  goOnline(false);
  want({ ...ON, power: WantedPower.OFF, forceAfter: { seconds: 0n, nanos: 0 } });
  keeper.letGo([UID, '01890000-0000-7000-8000-000000000002']);
  goOnline(true);
  await eventually(async () => {
    await clock.advance(1_000);
    return journal.find(UID) === undefined;
  });
  t.is(journal.bmc.server(UID), undefined);
  t.is(bmc.power, 'on');
  want({
    ...ON,
    bootGeneration: 1n,
    power: WantedPower.OFF,
    forceAfter: { seconds: 0n, nanos: 0 },
  });
  await until(isOff);
  await keeper.stop();
});

test('nothing is done by what was wanted before, if it changed while the power was read', async (t) => {
  using dir = temporaryDir({ inMemory: true });
  const { bmc, keeper, want, until } = setUp(dir.path);
  want(ON);
  await until(isOn);
  let isTold = false;
  bmc.before = (call) => {
    if (call !== 'read power' || isTold) return;
    isTold = true;
    want(ON);
  };
  want({ ...ON, power: WantedPower.OFF, forceAfter: { seconds: 0n, nanos: 0 } });
  await eventually(() => isTold);
  let reads = 0;
  bmc.before = (call) => {
    if (call === 'read power') reads += 1;
  };
  await until(() => reads > 2);
  t.deepEqual(
    bmc.log.filter((call) => call.endsWith('off')),
    [],
  );
  await keeper.stop();
});
