import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { CapabilityService } from '../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ResourceTypeService } from '../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import { makePartition, makeProvider, newId, startInventory, vmHost } from './inventory-fixture.ts';

const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
const denied = { kind: 'permission_denied', reason: 'NOT_ALLOWED' } as const;

test('a partition is deleted only when it is empty', async (t) => {
  const fixture = await startInventory(t);
  const made = await makePartition(fixture, 'Lab');
  const partitions = createClient(PartitionService, fixture.admin);
  const provider = await makeProvider(fixture, 'a', vmHost({ inventories: [] }));
  await refused(t, partitions.deletePartition({ name: 'partitions/lab' }), inUse);
  await createClient(ProviderService, fixture.admin).deleteProvider({ name: provider.name });
  const stale = partitions.deletePartition({ name: 'partitions/lab', etag: 'x' });
  await refused(t, stale, { kind: 'aborted', reason: 'ETAG_MISMATCH' });
  await partitions.deletePartition({ name: 'partitions/lab', etag: made?.etag ?? '' });
  await refused(t, partitions.deletePartition({ name: 'partitions/lab' }), foreign);
  await t.notThrowsAsync(
    partitions.deletePartition({ name: 'partitions/lab', allowMissing: true }),
  );
});

test('partitions are seen by whoever has a grant that reaches into them', async (t) => {
  const fixture = await startInventory(t);
  for (const id of ['lab', 'other']) await makePartition(fixture, id);
  const seenBy = async (token: string) => {
    const partitions = createClient(PartitionService, fixture.asPerson(token));
    return (await partitions.listPartitions({})).partitions.map(({ name }) => name);
  };
  const [lab, other] = ['partitions/lab', 'partitions/other'];
  t.deepEqual(await seenBy('admin'), [lab, other]);
  t.deepEqual(await seenBy('lab-operator'), [lab]);
  t.deepEqual(await seenBy('lab-red-member'), [lab]);
  t.deepEqual(await seenBy('red-member'), [lab, other]);
  const operator = createClient(PartitionService, fixture.asPerson('lab-operator'));
  t.is((await operator.getPartition({ name: lab })).partition?.name, lab);
  await refused(t, operator.getPartition({ name: other }), foreign);
  const made = operator.createPartition({ partitionId: 'x', partition: {}, requestId: newId() });
  await refused(t, made, denied);
  const partitions = createClient(PartitionService, fixture.admin);
  const again = partitions.createPartition({
    partitionId: 'LAB',
    partition: {},
    requestId: newId(),
  });
  await refused(t, again, { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
});

test('built-in capabilities are there once, and a used one stays', async (t) => {
  const fixture = await startInventory(t);
  const second = await fixture.startReplica();
  const capabilities = createClient(CapabilityService, second.admin);
  const { capabilities: listed } = await capabilities.listCapabilities({ pageSize: 1000 });
  const names = listed.map(({ name }) => name);
  t.true(names.includes('capabilities/vm.qemu'));
  t.is(new Set(names).size, names.length);
  await capabilities.createCapability({
    capabilityId: 'gpu.h100',
    capability: { spec: { description: 'Has H100 GPUs' } },
    requestId: newId(),
  });
  await makePartition(fixture, 'lab');
  await makeProvider(fixture, 'a', vmHost({ capabilities: ['gpu.h100'] }));
  const error = await refused(
    t,
    capabilities.deleteCapability({ name: 'capabilities/gpu.h100' }),
    inUse,
  );
  t.is(error.metadata.providers, '1');
  await t.notThrowsAsync(capabilities.deleteCapability({ name: 'capabilities/vm.qemu' }));
  for (const capabilityId of ['GPU', 'a..b', 'a_', 'a/b']) {
    await refused(
      t,
      capabilities.createCapability({ capabilityId, capability: {}, requestId: newId() }),
      { kind: 'invalid_argument', reason: 'INVALID_FIELD' },
    );
  }
  const member = createClient(CapabilityService, fixture.asPerson('red-member'));
  t.truthy(await member.getCapability({ name: 'capabilities/gpu.h100' }));
  const operator = createClient(CapabilityService, fixture.asPerson('lab-operator'));
  await refused(
    t,
    operator.createCapability({ capabilityId: 'x', capability: {}, requestId: newId() }),
    denied,
  );
});

test('resource types have units and are listed by pages', async (t) => {
  const fixture = await startInventory(t);
  const types = createClient(ResourceTypeService, fixture.asPerson('lab-operator'));
  const units = new Map<string, string>();
  let pageToken = '';
  do {
    const page = await types.listResourceTypes({ pageSize: 3, pageToken });
    for (const { name, spec } of page.resourceTypes) units.set(name, spec?.unit ?? '');
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  t.is(units.get('resourceTypes/runm.machine.whole'), 'machines');
  t.is(units.get('resourceTypes/runm.memory'), 'bytes');
  t.is(units.get('resourceTypes/runm.cpu.shared'), 'cores');
  const { resourceType } = await types.getResourceType({ name: 'resourceTypes/runm.memory' });
  t.is(resourceType?.spec?.unit, 'bytes');
  await refused(t, types.getResourceType({ name: 'resourceTypes/runm.none' }), foreign);
});
