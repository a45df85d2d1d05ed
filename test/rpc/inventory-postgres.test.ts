import { createClient } from '@connectrpc/connect';
import { CapabilityService } from '../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderGroupService } from '../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { NicType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { needs } from '../needs.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import {
  makeGroup,
  makePartition,
  makeProvider,
  newId,
  startInventory,
  vmHost,
} from './inventory-fixture.ts';

/** What differs between the databases: two replicas that write at once. */
const need = needs('postgres');
const { test } = need;
let server: TestPostgres;

test.before(async () => {
  server = await startPostgres({
    postgres: need.program('postgres'),
    initdb: need.program('initdb'),
  });
});
test.after.always(async () => {
  await server?.[Symbol.asyncDispose]();
});

const start = async (t: Parameters<typeof startInventory>[0]) => {
  const fixture = await startInventory(t, { url: await server.createDatabase() });
  await makePartition(fixture, 'lab');
  return { fixture, other: await fixture.startReplica() };
};

const fulfilled = (outcomes: readonly PromiseSettledResult<unknown>[]): number =>
  outcomes.filter(({ status }) => status === 'fulfilled').length;

test('two replicas give one MAC address to one provider', async (t) => {
  const { fixture, other } = await start(t);
  const provider = vmHost({
    nics: [{ label: 'eth0', mac: '02:00:00:00:00:01', type: NicType.PHYSICAL }],
  });
  const outcomes = await Promise.allSettled([
    makeProvider(fixture, 'a', provider),
    makeProvider(other, 'b', provider),
    makeProvider(fixture, 'c', provider),
  ]);
  t.is(fulfilled(outcomes), 1);
});

test('two moves at once make no circle', async (t) => {
  const { fixture, other } = await start(t);
  const spec = { type: ProviderType.DEVICE };
  const [a, b] = [
    await makeProvider(fixture, 'a', { spec }),
    await makeProvider(fixture, 'b', { spec }),
  ];
  const move = (at: typeof fixture, name: string, parentProvider: string) =>
    createClient(ProviderService, at.admin).updateProvider({
      provider: { name, spec: { ...spec, parentProvider } },
      updateMask: { paths: ['spec.parent_provider'] },
    });
  for (let round = 0; round < 5; round += 1) {
    const outcomes = await Promise.allSettled([
      move(fixture, a.name, b.name),
      move(other, b.name, a.name),
    ]);
    t.true(fulfilled(outcomes) <= 1);
    await move(fixture, a.name, '');
    await move(fixture, b.name, '');
  }
});

test('a partition is not deleted beside a provider that is made in it', async (t) => {
  const { fixture, other } = await start(t);
  for (let round = 0; round < 5; round += 1) {
    const outcomes = await Promise.allSettled([
      makeProvider(fixture, 'a'),
      createClient(PartitionService, other.admin).deletePartition({ name: 'partitions/lab' }),
    ]);
    t.is(fulfilled(outcomes), 1);
    const providers = createClient(ProviderService, fixture.admin);
    await providers
      .deleteProvider({ name: 'partitions/lab/providers/a', allowMissing: true })
      .catch(() => undefined);
    await makePartition(fixture, 'lab').catch(() => undefined);
  }
});

test('a capability is not deleted beside a provider that gets it', async (t) => {
  const { fixture, other } = await start(t);
  const capabilities = createClient(CapabilityService, other.admin);
  const capability = { capabilityId: 'x.y', capability: {} };
  await capabilities.createCapability({ ...capability, requestId: newId() });
  const outcomes = await Promise.allSettled([
    makeProvider(fixture, 'a', vmHost({ capabilities: ['x.y'] })),
    capabilities.deleteCapability({ name: 'capabilities/x.y' }),
  ]);
  t.is(fulfilled(outcomes), 1);
});

test('a group is not deleted beside a provider that joins it', async (t) => {
  const { fixture, other } = await start(t);
  const groups = createClient(ProviderGroupService, other.admin);
  for (let round = 0; round < 5; round += 1) {
    await makeGroup(fixture, 'rack');
    const id = `host-${round}`;
    const outcomes = await Promise.allSettled([
      makeProvider(fixture, id, vmHost({ groups: ['rack'] })),
      groups.deleteProviderGroup({ name: 'partitions/lab/groups/rack' }),
    ]);
    t.is(fulfilled(outcomes), 1);
    if (outcomes[0].status === 'rejected') continue;
    const members = { name: 'partitions/lab/groups/rack', remove: [id] };
    await groups.changeMembers(members);
    await groups.deleteProviderGroup({ name: members.name });
  }
});

test('two groups that move into each other at once make no circle', async (t) => {
  const { fixture, other } = await start(t);
  await makeGroup(fixture, 'a');
  await makeGroup(fixture, 'b');
  const move = (at: typeof fixture, id: string, parentGroup: string) =>
    createClient(ProviderGroupService, at.admin).updateProviderGroup({
      group: { name: `partitions/lab/groups/${id}`, spec: { parentGroup } },
      updateMask: { paths: ['spec.parent_group'] },
    });
  for (let round = 0; round < 5; round += 1) {
    const outcomes = await Promise.allSettled([move(fixture, 'a', 'b'), move(other, 'b', 'a')]);
    t.is(fulfilled(outcomes), 1);
    await move(fixture, 'a', '');
    await move(fixture, 'b', '');
  }
});

test('a part that is made while its server is moved knows its root', async (t) => {
  const { fixture, other } = await start(t);
  const spec = { type: ProviderType.DEVICE };
  const [top, server] = [
    await makeProvider(fixture, 'top', { spec }),
    await makeProvider(fixture, 'server', { spec }),
  ];
  const providers = createClient(ProviderService, other.admin);
  const move = (parentProvider: string) =>
    providers.updateProvider({
      provider: { name: server.name, spec: { parentProvider } },
      updateMask: { paths: ['spec.parent_provider'] },
    });
  for (let round = 0; round < 5; round += 1) {
    const [part] = await Promise.all([
      makeProvider(fixture, `part-${round}`, { spec: { ...spec, parentProvider: server.name } }),
      move(round % 2 === 0 ? top.name : ''),
    ]);
    const { provider } = await providers.getProvider({ name: part.name });
    t.is(provider?.status?.rootUid, round % 2 === 0 ? top.uid : server.uid);
  }
});

test('of changes of one provider at two replicas each asks for a generation of its own', async (t) => {
  const { fixture, other } = await start(t);
  const made = await makeProvider(fixture, 'a');
  // Whichever comes after whichever, it takes a type away.
  const leave = (at: typeof fixture, resourceType: string) =>
    createClient(ProviderService, at.admin).updateProvider({
      provider: {
        name: made.name,
        spec: { type: ProviderType.VM_HOST, inventories: [{ resourceType, total: 10n }] },
      },
      updateMask: { paths: ['spec.inventories'] },
    });
  const outcomes = await Promise.allSettled([
    leave(fixture, 'runm.memory'),
    leave(other, 'runm.cpu.shared'),
    leave(fixture, 'runm.storage.block'),
  ]);
  t.true(fulfilled(outcomes) >= 1);
  const generations = fixture.leader.asked.map((asked) => asked.inventoryGeneration);
  t.is(new Set(generations).size, generations.length);
  const providers = createClient(ProviderService, fixture.admin);
  const { provider } = await providers.getProvider({ name: made.name });
  const written = fixture.leader.asked.find(
    (one) => one.inventoryGeneration === provider?.generation,
  );
  t.truthy(written);
  const kept = provider?.spec?.inventories[0]?.resourceType;
  t.true(written?.capacities.every(({ resourceType }) => resourceType === kept));
});
