import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { PropertyValueSchema } from '../../gen/runmachine/common/v1/property_pb.ts';
import { BmcType, NicType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  CreateProviderRequestSchema,
  ProviderService,
} from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  GIB,
  makeGroup,
  makePartition,
  makeProvider,
  newId,
  type ProviderInit,
  startInventory,
  vmHost,
} from './inventory-fixture.ts';

const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
const bad = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
const _denied = { kind: 'permission_denied', reason: 'NOT_ALLOWED' } as const;

const start = async (t: Parameters<typeof startInventory>[0]) => {
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  return { fixture, providers: createClient(ProviderService, fixture.admin) };
};

const SECRETIVE: ProviderInit = vmHost({
  bmc: { type: BmcType.REDFISH, address: '10.0.0.9', secret: 'projects/ops/secrets/bmc-9' },
  nics: [
    { label: 'eth0', mac: '02:00:00:00:00:01', type: NicType.PHYSICAL, primary: true },
    { label: 'bmc', mac: '02:00:00:00:00:02', type: NicType.BMC },
  ],
  agentPools: [{ role: 'vm', agents: ['partitions/LAB/agents/host-1'] }],
  facts: { serialNumber: 'SN-4711', vendor: 'ACME' },
});

test('a provider is created once per request id and read by name or uid', async (t) => {
  const { providers } = await start(t);
  const request = create(CreateProviderRequestSchema, {
    parent: 'partitions/lab',
    providerId: 'Host-1',
    provider: {
      ...SECRETIVE,
      tags: ['a'],
      properties: {
        rack: create(PropertyValueSchema, { kind: { case: 'integerValue', value: 2n ** 60n } }),
      },
    },
    requestId: newId(),
  });
  const first = await providers.createProvider(request);
  t.deepEqual(await providers.createProvider(request), first);
  const made = first.provider;
  t.is(made?.name, 'partitions/lab/providers/Host-1');
  t.is(made?.generation, 1n);
  t.is(made?.spec?.inventories.find((one) => one.resourceType === 'runm.memory')?.total, 64n * GIB);
  t.is(made?.properties.rack?.kind.value, 2n ** 60n);
  t.deepEqual(made?.spec?.agentPools[0]?.agents, ['partitions/lab/agents/host-1']);
  for (const id of ['host-1', 'HOST-1', made?.uid]) {
    const { provider } = await providers.getProvider({ name: `partitions/LAB/providers/${id}` });
    t.is(provider?.uid, made?.uid);
  }
  const again = providers.createProvider({ ...request, requestId: newId() });
  await refused(t, again, { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
  const elsewhere = providers.createProvider({
    ...request,
    parent: 'partitions/nowhere',
    requestId: newId(),
  });
  await refused(t, elsewhere, foreign);
  const everywhere = providers.createProvider({
    ...request,
    parent: 'partitions/-',
    requestId: newId(),
  });
  await refused(t, everywhere, bad);
});

const wrong = test.macro({
  exec: async (t, spec: ProviderInit['spec'], field: string, said: RegExp) => {
    const { fixture } = await start(t);
    const error = await refused(t, makeProvider(fixture, 'x', vmHost(spec)), bad);
    t.true(
      error.extras.violations?.some((one) => one.field === field),
      `${field} in ${JSON.stringify(error.extras.violations)}`,
    );
    t.regex(error.message, said);
  },
  title: (name = '') => `refused by name: ${name}`,
});
const memory = { resourceType: 'runm.memory', total: 10n };
test(
  'an unknown resource type',
  wrong,
  {
    inventories: [{ resourceType: 'runm.magic', total: 1n }],
  },
  'spec.inventories[0].resource_type',
  /runm\.magic/,
);
test(
  'a resource type twice',
  wrong,
  {
    inventories: [memory, memory],
  },
  'spec.inventories[1].resource_type',
  /twice/,
);
test(
  'more reserved than there is',
  wrong,
  {
    inventories: [{ ...memory, reserved: 11n }],
  },
  'spec.inventories[0].reserved',
  /at most total, 10/,
);
test(
  'a smallest unit above the largest',
  wrong,
  {
    inventories: [{ ...memory, minUnit: 5n, maxUnit: 4n }],
  },
  'spec.inventories[0].min_unit',
  /at most max_unit, 4/,
);
test(
  'more usable than an amount can say',
  wrong,
  {
    inventories: [{ ...memory, total: 2n ** 63n, allocationRatioMilli: 4000 }],
  },
  'spec.inventories[0].allocation_ratio_milli',
  /more usable/,
);
test(
  'an unknown capability',
  wrong,
  {
    capabilities: ['vm.qemu', 'cpu.x86.magic'],
  },
  'spec.capabilities',
  /cpu\.x86\.magic/,
);
test(
  'two NICs of one label',
  wrong,
  {
    nics: [
      { label: 'eth0', type: NicType.PHYSICAL },
      { label: 'eth0', type: NicType.PHYSICAL },
    ],
  },
  'spec.nics[1].label',
  /eth0/,
);
test(
  'one MAC address on two NICs',
  wrong,
  {
    nics: [
      { label: 'a', mac: '02:00:00:00:00:01', type: NicType.PHYSICAL },
      { label: 'b', mac: '02:00:00:00:00:01', type: NicType.PHYSICAL },
    ],
  },
  'spec.nics[1].mac',
  /02:00:00:00:00:01/,
);
test(
  'two primary NICs',
  wrong,
  {
    nics: [
      { label: 'a', type: NicType.PHYSICAL, primary: true },
      { label: 'b', type: NicType.PHYSICAL, primary: true },
    ],
  },
  'spec.nics[1].primary',
  /only one/,
);
test(
  'agents of another partition',
  wrong,
  {
    agentPools: [{ role: 'vm', agents: ['partitions/other/agents/a'] }],
  },
  'spec.agent_pools[0].agents',
  /partitions\/other/,
);
test(
  'a pool of a role twice',
  wrong,
  {
    agentPools: [
      { role: 'vm', agents: ['partitions/lab/agents/a'] },
      { role: 'vm', agents: ['partitions/lab/agents/b'] },
    ],
  },
  'spec.agent_pools[1].role',
  /twice/,
);
test(
  'a BMC secret that is no secret’s name',
  wrong,
  {
    bmc: { type: BmcType.IPMI, address: '10.0.0.1', secret: 'hunter2' },
  },
  'spec.bmc.secret',
  /projects/,
);
test(
  'a parent that is not there',
  wrong,
  {
    parentProvider: 'partitions/lab/providers/ghost',
  },
  'spec.parent_provider',
  /ghost/,
);
test(
  'a parent in another partition',
  wrong,
  {
    parentProvider: 'partitions/other/providers/host-1',
  },
  'spec.parent_provider',
  /other/,
);

test('a MAC address belongs to one provider of a partition', async (t) => {
  const { fixture } = await start(t);
  await makePartition(fixture, 'other');
  const nics = [{ label: 'eth0', mac: '02:00:00:00:00:01', type: NicType.PHYSICAL }];
  await makeProvider(fixture, 'a', vmHost({ nics }));
  const error = await refused(t, makeProvider(fixture, 'b', vmHost({ nics })), {
    kind: 'already_exists',
    reason: 'ALREADY_EXISTS',
  });
  t.regex(error.message, /02:00:00:00:00:01/);
  t.regex(error.message, /providers\/a\b/);
  await t.notThrowsAsync(
    createClient(ProviderService, fixture.admin).createProvider({
      parent: 'partitions/other',
      providerId: 'b',
      provider: vmHost({ nics }),
      requestId: newId(),
    }),
  );
});

test('only the masked fields change, and a wrong mask is refused by path', async (t) => {
  const { fixture, providers } = await start(t);
  const made = await makeProvider(fixture, 'host-1', SECRETIVE);
  await makeGroup(fixture, 'rack-1');
  const type = ProviderType.VM_HOST;
  const { provider } = await providers.updateProvider({
    provider: { name: made.name, etag: made.etag, spec: { type, groups: ['rack-1'] }, tags: ['x'] },
    updateMask: { paths: ['spec.groups', 'tags'] },
  });
  t.deepEqual(provider?.spec?.groups, ['rack-1']);
  t.deepEqual(provider?.tags, ['x']);
  t.is(provider?.spec?.bmc?.address, '10.0.0.9');
  t.is(provider?.generation, 2n);
  const tagged = await providers.updateProvider({
    provider: { name: made.name, spec: { type }, tags: ['y'] },
    updateMask: { paths: ['tags'] },
  });
  t.is(tagged.provider?.generation, 2n, 'the spec is the same');
  t.not(tagged.provider?.etag, provider?.etag);
  const update = (paths: string[], etag = '') =>
    providers.updateProvider({
      provider: { name: made.name, etag, spec: { type } },
      updateMask: { paths },
    });
  for (const paths of [[], ['name'], ['spec'], ['status.problem'], ['spec.magic'], ['*']]) {
    await refused(t, update(paths), { kind: 'invalid_argument', reason: 'MASK_INVALID' });
  }
  const stale = await refused(t, update(['tags'], made.etag), {
    kind: 'aborted',
    reason: 'ETAG_MISMATCH',
  });
  t.is(stale.metadata.etag, tagged.provider?.etag);
  const changed = providers.updateProvider({
    provider: { name: made.name, spec: { type: ProviderType.BARE_METAL } },
    updateMask: { paths: ['spec.type'] },
  });
  t.is((await refused(t, changed, bad)).metadata.field, 'spec.type');
  const ghost = { name: 'partitions/lab/providers/ghost', spec: { type } };
  await refused(
    t,
    providers.updateProvider({ provider: ghost, updateMask: { paths: ['tags'] } }),
    foreign,
  );
});

test('a provider does not become its own ancestor, and one with parts stays', async (t) => {
  const { fixture, providers } = await start(t);
  const part = (id: string, parentProvider: string) =>
    makeProvider(fixture, id, { spec: { type: ProviderType.DEVICE, parentProvider } });
  const root = await part('chassis', '');
  const blade = await part('blade', root.name);
  const nic = await part('nic', `partitions/lab/providers/${blade.uid}`);
  t.is(nic.spec?.parentProvider, blade.name);
  const move = (name: string, parentProvider: string) =>
    providers.updateProvider({
      provider: { name, spec: { type: ProviderType.DEVICE, parentProvider } },
      updateMask: { paths: ['spec.parent_provider'] },
    });
  await refused(t, move(root.name, nic.name), bad);
  await refused(t, move(root.name, root.name), bad);
  const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
  await refused(t, providers.deleteProvider({ name: blade.name }), inUse);
  await move(nic.name, '');
  await t.notThrowsAsync(providers.deleteProvider({ name: blade.name }));
});
