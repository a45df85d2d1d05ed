/** What happens when requests come again, come late or come together. */
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { CapabilityService } from '../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { RESERVED_MS } from '../../services/inventory/domain/reservation.ts';
import { failedPrecondition } from '../../services/runtime/errors.ts';
import { toConnectError } from '../../services/runtime/rpc/error-mapping.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  GIB,
  type InventoryFixture,
  makePartition,
  makeProvider,
  newId,
  startInventory,
} from './inventory-fixture.ts';

const NAME = 'partitions/lab/providers/host-1';
const TYPE = ProviderType.VM_HOST;
const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
const reused = { kind: 'invalid_argument', reason: 'REQUEST_ID_REUSED' } as const;

const memory = (total: bigint) => ({
  type: TYPE,
  inventories: [{ resourceType: 'runm.memory', total }],
});

const start = async (t: Parameters<typeof startInventory>[0]) => {
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  const made = await makeProvider(fixture, 'host-1', { spec: memory(64n * GIB) });
  return { fixture, made, providers: createClient(ProviderService, fixture.admin) };
};

const shrink = (fixture: InventoryFixture, total: bigint, requestId = newId()) =>
  createClient(ProviderService, fixture.admin).updateProvider({
    provider: { name: NAME, spec: memory(total) },
    updateMask: { paths: ['spec.inventories'] },
    requestId,
  });

test('a repeated creation gives the stored answer though the object has gone', async (t) => {
  const fixture = await startInventory(t);
  const partitions = createClient(PartitionService, fixture.admin);
  const lab = { partitionId: 'lab', partition: { tags: ['a'] }, requestId: newId() };
  const first = await partitions.createPartition(lab);
  await partitions.deletePartition({ name: 'partitions/lab' });
  t.deepEqual(await partitions.createPartition(lab), first);
  await refused(t, partitions.getPartition({ name: 'partitions/lab' }), foreign);
  await refused(t, partitions.createPartition({ ...lab, partition: {} }), reused);
  const capabilities = createClient(CapabilityService, fixture.admin);
  const h100 = { capabilityId: 'gpu.h100', capability: {}, requestId: newId() };
  const capability = await capabilities.createCapability(h100);
  await capabilities.deleteCapability({ name: 'capabilities/gpu.h100' });
  t.deepEqual(await capabilities.createCapability(h100), capability);
});

test('a repeated update gives the stored answer and undoes nothing since', async (t) => {
  const { providers } = await start(t);
  const request = {
    provider: { name: NAME, spec: { type: TYPE }, tags: ['first'] },
    updateMask: { paths: ['tags'] },
    requestId: newId(),
  };
  const first = await providers.updateProvider(request);
  const later = { provider: { ...request.provider, tags: ['later'] }, requestId: newId() };
  await providers.updateProvider({ ...request, ...later });
  t.deepEqual(await providers.updateProvider(request), first);
  t.deepEqual((await providers.getProvider({ name: NAME })).provider?.tags, ['later']);
  await refused(t, providers.updateProvider({ ...request, provider: later.provider }), reused);
});

test('a repeated deletion does not delete what has the name now', async (t) => {
  const { fixture, providers } = await start(t);
  const request = { name: NAME, requestId: newId() };
  await providers.deleteProvider(request);
  const { uid } = await makeProvider(fixture, 'host-1');
  await t.notThrowsAsync(providers.deleteProvider(request));
  t.is((await providers.getProvider({ name: NAME })).provider?.uid, uid);
  const partitions = createClient(PartitionService, fixture.admin);
  const made = await makePartition(fixture, 'short');
  const ended = { name: 'partitions/short', etag: made?.etag ?? '', requestId: newId() };
  await partitions.deletePartition(ended);
  await t.notThrowsAsync(partitions.deletePartition(ended));
});

test('of two updates of one version one wins and the other is told', async (t) => {
  const { made, providers } = await start(t);
  const update = (tag: string) =>
    providers.updateProvider({
      provider: { name: NAME, etag: made.etag, spec: { type: TYPE }, tags: [tag] },
      updateMask: { paths: ['tags'] },
    });
  const calls = [update('a'), update('b')];
  const results = await Promise.allSettled(calls);
  const won = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value.provider] : []));
  t.is(won.length, 1);
  const lost = calls[results.findIndex(({ status }) => status === 'rejected')];
  await refused(t, lost ?? Promise.resolve(), { kind: 'aborted', reason: 'ETAG_MISMATCH' });
  const { provider } = await providers.getProvider({ name: NAME });
  t.deepEqual(provider, won[0]);
});

test('a change whose etag went stale while it was decided is not written', async (t) => {
  const { fixture, made, providers } = await start(t);
  fixture.leader.onAsked = () =>
    providers.updateProvider({
      provider: { name: NAME, spec: { type: TYPE }, tags: ['meanwhile'] },
      updateMask: { paths: ['tags'] },
    });
  const call = providers.updateProvider({
    provider: { name: NAME, etag: made.etag, spec: memory(32n * GIB) },
    updateMask: { paths: ['spec.inventories'] },
  });
  await refused(t, call, { kind: 'aborted', reason: 'ETAG_MISMATCH' });
  const { provider } = await providers.getProvider({ name: NAME });
  t.is(provider?.spec?.inventories[0]?.total, 64n * GIB);
  t.deepEqual(provider?.tags, ['meanwhile']);
  const recorded = fixture.leader.asked[0]?.inventoryGeneration ?? 0n;
  t.true((provider?.generation ?? 0n) > recorded, 'the leader goes by what is written');
});

test('a change of both ways asks for what old and new have in common', async (t) => {
  const { fixture, providers } = await start(t);
  await providers.updateProvider({
    provider: {
      name: NAME,
      spec: {
        type: TYPE,
        inventories: [
          { resourceType: 'runm.memory', total: 32n * GIB },
          { resourceType: 'runm.ipv4', total: 8n },
        ],
      },
    },
    updateMask: { paths: ['spec.inventories'] },
  });
  t.deepEqual(
    fixture.leader.asked[0]?.capacities.map(({ resourceType, usable }) => [resourceType, usable]),
    [['runm.memory', 32n * GIB]],
  );
});

test('amounts beyond what the scheduler counts are told as the most that it counts', async (t) => {
  const { fixture } = await start(t);
  await shrink(fixture, 2n ** 60n);
  await shrink(fixture, 2n ** 54n);
  const most = 2n ** 53n - 1n;
  t.deepEqual(
    fixture.leader.asked.at(-1)?.capacities.map(({ usable, maxUnit }) => [usable, maxUnit]),
    [[most, most]],
  );
});

test('a yes that comes after a no to its own repeat leaves no record in force', async (t) => {
  const { fixture, providers } = await start(t);
  const bothAsked = Promise.withResolvers<void>();
  const isRefused = Promise.withResolvers<void>();
  fixture.leader.onAsked = async () => {
    if (fixture.leader.asked.length > 1) {
      bothAsked.resolve();
      await isRefused.promise;
      return;
    }
    await bothAsked.promise;
    throw toConnectError(failedPrecondition('IN_USE', 'Claims hold it'));
  };
  const requestId = newId();
  const calls = [shrink(fixture, 32n * GIB, requestId)];
  await eventually(() => fixture.leader.asked.length === 1, { message: 'the first question' });
  calls.push(shrink(fixture, 32n * GIB, requestId));
  await Promise.race(calls).catch(() => undefined);
  isRefused.resolve();
  const results = await Promise.allSettled(calls);
  t.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  const recorded = fixture.leader.asked.map(({ inventoryGeneration }) => inventoryGeneration);
  t.is(recorded[0], recorded[1], 'both asked for one generation');
  const { provider } = await providers.getProvider({ name: NAME });
  t.is(provider?.spec?.inventories[0]?.total, 64n * GIB);
  t.true((provider?.generation ?? 0n) >= (recorded[1] ?? 0n));
});

test('what a dead process left reserved is ended by a replica that starts', async (t) => {
  const { fixture, providers } = await start(t);
  const asked = Promise.withResolvers<void>();
  fixture.leader.onAsked = () => {
    asked.resolve();
    return new Promise(() => undefined);
  };
  // As a killed process: nothing that it waits for comes back.
  shrink(fixture, 32n * GIB).catch(() => undefined);
  await asked.promise;
  const recorded = fixture.leader.asked[0]?.inventoryGeneration ?? 0n;
  const generation = async () =>
    (await providers.getProvider({ name: NAME })).provider?.generation ?? 0n;
  t.true((await generation()) < recorded);
  fixture.clock.shift(RESERVED_MS + 1);
  await fixture.startReplica();
  await eventually(async () => (await generation()) > recorded, { message: 'a newer generation' });
});

test('a retry of what died before the write completes it with the same generation', async (t) => {
  const { fixture } = await start(t);
  const asked = Promise.withResolvers<void>();
  fixture.leader.onAsked = () => {
    asked.resolve();
    return new Promise(() => undefined);
  };
  const requestId = newId();
  shrink(fixture, 32n * GIB, requestId).catch(() => undefined);
  await asked.promise;
  fixture.leader.onAsked = undefined;
  const { provider } = await shrink(fixture, 32n * GIB, requestId);
  t.is(provider?.spec?.inventories[0]?.total, 32n * GIB);
  t.deepEqual(
    fixture.leader.asked.map(({ inventoryGeneration }) => inventoryGeneration),
    [provider?.generation, provider?.generation],
  );
});

test('300 providers come in pages of 100 when no size is asked for, each once', async (t) => {
  const { providers } = await start(t);
  const wanted = new Set([NAME]);
  for (let at = 0; at < 299; at += 1) {
    const providerId = `node-${String(at).padStart(3, '0')}`;
    wanted.add(`partitions/lab/providers/${providerId}`);
    const provider = { spec: { type: TYPE } };
    const parent = 'partitions/lab';
    await providers.createProvider({ parent, providerId, provider, requestId: newId() });
  }
  const pages: string[][] = [];
  let pageToken = '';
  do {
    const page = await providers.listProviders({ parent: 'partitions/lab', pageToken });
    pages.push(page.providers.map(({ name }) => name));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  t.deepEqual(
    pages.map(({ length }) => length),
    [100, 100, 100],
  );
  t.deepEqual(pages.flat(), [...wanted].toSorted());
});
