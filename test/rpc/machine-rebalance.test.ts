/** Controllers go to an agent that joins later, but never from under somebody's work. */
import test from 'ava';
import { MachineState, MachineType } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { ProviderLifeState as Life } from '../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { createRecords } from '../../services/machine/store/records.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { SqlStore } from '../../services/store/sql/open.ts';
import { eventually } from '../support/eventually.ts';
import { ended, PROJECT, uuid } from './machine-fixture.ts';
import { BMC_AGENTS, type MetalSite, SECRET, startMetalSite } from './machine-metal-fixture.ts';
import { openStore } from './machine-sink-fixture.ts';

const { hardware: records } = createRecords(systemClock);
const ACTOR = { principal: 'test', requestId: 'test' };
const [ONE, TWO] = BMC_AGENTS;

const untilAvailable = async (metal: MetalSite): Promise<void> => {
  const { providerStates } = metal.as('operator');
  for (const { name } of metal.providers) {
    await eventually(
      async () => {
        const { providerState } = await providerStates.getProviderState({ name: `${name}/state` });
        return providerState?.state === Life.AVAILABLE;
      },
      { message: `${name} is available` },
    );
  }
};

/** Whose each server is, in the order of the servers. */
const holdersIn = (store: SqlStore, metal: MetalSite) =>
  store.read(async (reader) => {
    const leases = metal.providers.map(({ uid }) => records.findLease(reader, uid));
    return (await Promise.all(leases)).map((lease) => lease?.agentKey ?? '');
  });

const untilShared = (store: SqlStore, metal: MetalSite, each: number) =>
  eventually(
    async () => {
      const holders = await holdersIn(store, metal);
      const counts = BMC_AGENTS.map((name) => holders.filter((one) => one === name).length);
      return counts.every((count) => count === each) ? holders : undefined;
    },
    { message: 'the controllers are shared' },
  );

test('an agent that joins gets its share, and no machine notices', async (t) => {
  await using metal = await startMetalSite({ servers: 4 });
  const first = await metal.connect(0);
  await untilAvailable(metal);
  const red = metal.as('red');
  const names = metal.providers.map((_, at) => `bench-${at}`);
  for (const machineId of names) {
    const machine = { spec: { type: MachineType.BARE_METAL } };
    const asked = { parent: PROJECT, machineId, machine, requestId: uuid() };
    await ended(red, (await red.machines.createMachine(asked)).operation?.name);
  }
  t.deepEqual(
    [...first.guests.values()].map(({ bootCount }) => bootCount),
    [1, 1, 1, 1],
  );
  const second = await metal.connect(1);
  const store = await openStore(metal.site);
  await untilShared(store, metal, 2);
  await eventually(() => first.moved.length === 2 && second.servers.size === 2, {
    message: 'both agents were told',
  });
  for (const id of names) {
    const name = `${PROJECT}/machines/${id}`;
    const { machine } = await red.machines.getMachine({ name });
    t.is(machine?.status?.state, MachineState.ACTIVE, id);
  }
  const generations = [...second.servers.values()].map((one) => one.bootedGeneration);
  t.deepEqual(generations, [1n, 1n], 'the second is told that they were booted');
  await store.close();
});

test('what somebody works at stays where it is until he has done', async (t) => {
  await using metal = await startMetalSite({ servers: 4 });
  await metal.connect(0);
  await untilAvailable(metal);
  const [watched, ordered] = metal.providers;
  if (watched === undefined || ordered === undefined) throw new Error('no servers');
  const store = await openStore(metal.site);
  const stop = new AbortController();
  let isOpen = false;
  const watching = (async () => {
    const { providerConsoles } = metal.as('operator');
    const open = { name: watched.name, reason: 'no boot' };
    const console = providerConsoles.watchProviderConsole({ open }, { signal: stop.signal });
    for await (const { content } of console) isOpen ||= content?.content.case === 'opened';
  })().catch(() => undefined);
  await eventually(() => isOpen, { message: 'the console is open' });
  const commandUid = systemRandom.uid();
  const order = { commandUid, agentKey: ONE, secretKey: SECRET, providerUid: ordered.uid };
  const untilMs = systemClock.now().getTime() + 600_000;
  const placed = await store.transaction(undefined, ACTOR, (tx) =>
    records.openOrders(tx, [{ ...order, untilMs }]),
  );
  t.deepEqual(placed, []);
  await metal.connect(1);
  t.deepEqual(await untilShared(store, metal, 2), [ONE, ONE, TWO, TWO]);
  // The other agent may not begin there, either.
  const late = { ...order, commandUid: systemRandom.uid(), agentKey: TWO, untilMs };
  const refusedOnes = await store.transaction(undefined, ACTOR, (tx) =>
    records.openOrders(tx, [late]),
  );
  t.deepEqual(refusedOnes, [late.commandUid]);
  stop.abort();
  await watching;
  await store.close();
});

test('a drained agent gets its controllers back when it is resumed', async (t) => {
  await using metal = await startMetalSite({ servers: 4 });
  await metal.connect(0);
  await metal.connect(1);
  await untilAvailable(metal);
  const store = await openStore(metal.site);
  const { agents } = metal.as('admin');
  await agents.drainAgent({ name: ONE, requestId: uuid() });
  await eventually(async () => (await holdersIn(store, metal)).every((one) => one === TWO), {
    message: 'the other has all',
  });
  await agents.resumeAgent({ name: ONE, requestId: uuid() });
  t.is((await untilShared(store, metal, 2)).length, 4);
  await store.close();
});
