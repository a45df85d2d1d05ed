/** Of a pool of which one agent cannot reach a controller the other one works there. */
import test, { type ExecutionContext } from 'ava';
import { PowerChange } from '../../gen/runmachine/machine/v1/hardware_pb.ts';
import { MachineType, PowerState } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { createRecords } from '../../services/machine/store/records.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import type { FakeAgent } from './machine-agent.ts';
import { createFakeControllers } from './machine-controllers.ts';
import { ended, PROJECT, uuid } from './machine-fixture.ts';
import { BMC_AGENTS, type MetalSite, startMetalSite } from './machine-metal-fixture.ts';
import { openStore } from './machine-sink-fixture.ts';

const R1 = 'partitions/lab/providers/r1u1';
const UNREACHABLE = 'BMC_UNREACHABLE';
const away = { kind: 'unavailable', reason: UNREACHABLE } as const;
const { hardware: records } = createRecords(systemClock);

/** What an agent does that is in another network than the controllers. */
const cutOff = () => {
  const controllers = createFakeControllers();
  controllers.fault = { succeeded: false, reason: UNREACHABLE, message: 'Nothing answers' };
  return controllers;
};

/** Its inspection is over, and nothing else asks the controller. */
const untilOpen = (metal: MetalSite) =>
  eventually(() => metal.closed(0) === false, { message: 'the server is open' });

const reads = (agent: FakeAgent): number =>
  agent.orders.filter(({ work }) => work.case === 'readPower').length;

const leaseIn = async (t: ExecutionContext, metal: MetalSite) => {
  const store = await openStore(metal.site);
  t.teardown(() => store.close());
  const uid = metal.providers[0]?.uid ?? '';
  return () => store.read((reader) => records.findLease(reader, uid));
};

const passedOver = async (metal: MetalSite): Promise<readonly string[]> => {
  const targetUid = metal.providers[0]?.uid ?? '';
  const asked = { parent: 'partitions/lab/projects/-', targetUid };
  const { events } = await metal.as('operator').events.listEvents(asked);
  return events
    .filter(({ type }) => type === 'provider.agent_passed_over')
    .map(({ message }) => message);
};

for (const far of [0, 1]) {
  const near = 1 - far;
  test(`b${far + 1} cannot reach a controller: b${near + 1} works there and stays`, async (t) => {
    await using metal = await startMetalSite();
    const cut = await metal.connect(far, 0, cutOff());
    const lease = await leaseIn(t, metal);
    const { hardware } = metal.as('operator');
    await refused(t, hardware.getProviderPower({ name: R1 }), away);
    t.is((await lease())?.agentKey, BMC_AGENTS[far]);
    const reaching = await metal.connect(near);
    t.is((await hardware.getProviderPower({ name: R1 })).power, PowerState.OFF);
    t.is((await lease())?.agentKey, BMC_AGENTS[near]);
    const [asked, done] = [reads(cut), reads(reaching)];
    for (let n = 0; n < 5; n += 1) await hardware.getProviderPower({ name: R1 });
    t.is(reads(cut), asked, 'the other one is asked no more');
    t.is(reads(reaching), done + 5);
    const { report } = await hardware.probeProvider({ name: R1 });
    t.regex(report?.remarks.join() ?? '', new RegExp(`agent b${far + 1} could not reach it`));
    const [told = '', ...more] = await passedOver(metal);
    t.regex(told, new RegExp(`agent b${far + 1} cannot reach .* b${near + 1} works there now`));
    t.deepEqual(more, []);
  });
}

test('a change is not done a second time elsewhere, but the next one is done there', async (t) => {
  await using metal = await startMetalSite();
  const near = await metal.connect(0);
  const { hardware } = metal.as('operator');
  await untilOpen(metal);
  const far = await metal.connect(1);
  const lease = await leaseIn(t, metal);
  t.is((await lease())?.agentKey, BMC_AGENTS[0]);
  metal.controllers.fault = { succeeded: false, reason: UNREACHABLE, message: 'Nothing answers' };
  const reset = () =>
    hardware.changeProviderPower({
      ...{ name: R1, change: PowerChange.RESET, requestId: uuid() },
    });
  await refused(t, reset(), away);
  const resets = ({ orders }: FakeAgent) =>
    orders.filter(({ work }) => work.case === 'changePower').length;
  t.deepEqual([resets(near), resets(far)], [1, 0]);
  t.is((await lease())?.agentKey, BMC_AGENTS[1]);
  metal.controllers.fault = undefined;
  await reset();
  t.deepEqual([resets(near), resets(far)], [1, 1]);
  t.is((await passedOver(metal)).length, 1);
});

test('a controller goes to nobody else while something is under way there', async (t) => {
  await using metal = await startMetalSite();
  const controllers = createFakeControllers();
  const gate = Promise.withResolvers<void>();
  const near = await metal.connect(0, 0, {
    ...controllers,
    obey: async (order, call) => {
      if (order.work.case === 'changePower') await gate.promise;
      return controllers.obey(order, call);
    },
  });
  const { hardware } = metal.as('operator');
  await untilOpen(metal);
  await metal.connect(1);
  const lease = await leaseIn(t, metal);
  const changing = hardware.changeProviderPower({
    ...{ name: R1, change: PowerChange.RESET, requestId: uuid() },
  });
  await eventually(() => near.orders.some(({ work }) => work.case === 'changePower'));
  const cannot = { succeeded: false, reason: UNREACHABLE, message: 'Nothing answers' };
  controllers.fault = cannot;
  await refused(t, hardware.getProviderPower({ name: R1 }), away);
  t.is((await lease())?.agentKey, BMC_AGENTS[0]);
  controllers.fault = undefined;
  gate.resolve();
  await changing;
  controllers.fault = cannot;
  await hardware.getProviderPower({ name: R1 });
  t.is((await lease())?.agentKey, BMC_AGENTS[1]);
});

test('a controller that nobody reaches does not go to and fro, and is found by any', async (t) => {
  await using metal = await startMetalSite();
  await metal.connect(0);
  await metal.connect(1);
  const { hardware } = metal.as('operator');
  await untilOpen(metal);
  const lease = await leaseIn(t, metal);
  const before = await lease();
  metal.controllers.fault = { succeeded: false, reason: UNREACHABLE, message: 'Nothing answers' };
  for (let n = 0; n < 6; n += 1) await refused(t, hardware.getProviderPower({ name: R1 }), away);
  const during = await lease();
  t.is(during?.epoch, (before?.epoch ?? 0) + 1, 'it moved once');
  t.deepEqual(during?.missed.map(({ agentKey }) => agentKey).toSorted(), [...BMC_AGENTS]);
  metal.controllers.fault = undefined;
  await hardware.getProviderPower({ name: R1 });
  t.deepEqual((await lease())?.missed, [], 'it was away itself');
  t.is((await lease())?.agentKey, during?.agentKey);
});

test('a server that its agent cannot reach goes to the other one without an order', async (t) => {
  await using metal = await startMetalSite();
  const first = await metal.connect(0);
  const red = metal.as('red');
  const machine = { spec: { type: MachineType.BARE_METAL } };
  await untilOpen(metal);
  const asked = { parent: PROJECT, machineId: 'bench', machine, requestId: uuid() };
  await ended(red, (await red.machines.createMachine(asked)).operation?.name);
  t.is(first.servers.size, 1);
  const second = await metal.connect(1);
  const [uid = ''] = first.servers.keys();
  first.behaviour.problem = { reason: UNREACHABLE, message: 'Nothing answers' };
  first.tell(uid);
  await eventually(() => second.servers.has(uid), { message: 'the other one has it' });
  await eventually(() => first.moved.includes(uid), { message: 'the first one lets it go' });
  t.is((await passedOver(metal)).length, 1);
});
