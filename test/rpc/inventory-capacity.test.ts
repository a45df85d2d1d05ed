import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { RESERVED_MS } from '../../services/inventory/domain/reservation.ts';
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
const busy = { kind: 'aborted', reason: 'BUSY' } as const;

const specOf = (totalBytes: bigint) => ({
  type: ProviderType.VM_HOST,
  inventories: [{ resourceType: 'runm.memory', total: totalBytes }],
});

const withMemory = (totalBytes: bigint) => ({ name: NAME, spec: specOf(totalBytes) });

const setMemory = (fixture: InventoryFixture, totalBytes: bigint, requestId = newId()) =>
  createClient(ProviderService, fixture.admin).updateProvider({
    provider: withMemory(totalBytes),
    updateMask: { paths: ['spec.inventories'] },
    requestId,
  });

const remove = (fixture: InventoryFixture, requestId = '') =>
  createClient(ProviderService, fixture.admin).deleteProvider({ name: NAME, requestId });

const read = async (fixture: InventoryFixture) => {
  const { provider } = await createClient(ProviderService, fixture.admin).getProvider({
    name: NAME,
  });
  return { total: provider?.spec?.inventories[0]?.total, generation: provider?.generation };
};

const start = async (t: Parameters<typeof startInventory>[0]) => {
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  const provider = await makeProvider(fixture, 'host-1', { spec: specOf(64n * GIB) });
  return { fixture, uid: provider.uid };
};

test('what adds capacity is written without asking the scheduler', async (t) => {
  const { fixture } = await start(t);
  fixture.leader.isAway = true;
  const { provider } = await setMemory(fixture, 128n * GIB);
  t.is(provider?.generation, 2n);
  t.deepEqual(fixture.leader.asked, []);
});

test('what takes capacity away is recorded by the leader before it is written', async (t) => {
  const { fixture, uid } = await start(t);
  let seen: Awaited<ReturnType<typeof read>> | undefined;
  fixture.leader.onAsked = async () => {
    seen = await read(fixture);
  };
  const { provider } = await setMemory(fixture, 32n * GIB);
  t.deepEqual(seen, { total: 64n * GIB, generation: 1n });
  const [asked] = fixture.leader.asked;
  t.is(asked?.providerUid, uid);
  t.is(asked?.inventoryGeneration, provider?.generation);
  t.deepEqual(
    asked?.capacities.map(({ resourceType, usable }) => [resourceType, usable]),
    [['runm.memory', 32n * GIB]],
  );
  t.is((await read(fixture)).total, 32n * GIB);
});

test('a change below what is used is refused and nothing is left of it', async (t) => {
  const { fixture } = await start(t);
  fixture.leader.used.set('runm.memory', 40n * GIB);
  const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
  const error = await refused(t, setMemory(fixture, 32n * GIB), inUse);
  t.is(error.metadata.resourceType, 'runm.memory');
  t.deepEqual(await read(fixture), { total: 64n * GIB, generation: 1n });
  await refused(t, remove(fixture), inUse);
  const { provider } = await setMemory(fixture, 40n * GIB);
  t.is(provider?.spec?.inventories[0]?.total, 40n * GIB);
  const generations = fixture.leader.asked.map((asked) => asked.inventoryGeneration);
  t.is(new Set(generations).size, generations.length, 'no generation is asked for twice');
});

test('without a leader nothing is taken away and the next try is free', async (t) => {
  const { fixture } = await start(t);
  fixture.leader.isAway = true;
  const away = { kind: 'unavailable', reason: 'NO_LEADER' } as const;
  await refused(t, setMemory(fixture, 32n * GIB), away);
  await refused(t, remove(fixture), away);
  t.is((await read(fixture)).total, 64n * GIB);
  fixture.leader.isAway = false;
  await t.notThrowsAsync(setMemory(fixture, 32n * GIB));
});

test('after a lost answer the provider counts from a generation above the one recorded', async (t) => {
  const { fixture } = await start(t);
  fixture.leader.losesAnswers = true;
  await refused(t, setMemory(fixture, 32n * GIB), {
    kind: 'unavailable',
    reason: 'OUTCOME_UNKNOWN',
  });
  const after = await read(fixture);
  t.is(after.total, 64n * GIB);
  const recorded = fixture.leader.asked.at(-1)?.inventoryGeneration ?? 0n;
  t.true((after.generation ?? 0n) > recorded);
  fixture.leader.losesAnswers = false;
  await setMemory(fixture, 32n * GIB);
  t.is((await read(fixture)).total, 32n * GIB);
});

test('the same request twice at once is done once and both are answered', async (t) => {
  const { fixture } = await start(t);
  const requestId = newId();
  const answers = await Promise.all([
    setMemory(fixture, 32n * GIB, requestId),
    setMemory(fixture, 32n * GIB, requestId),
  ]);
  t.deepEqual(answers[0], answers[1]);
  t.is((await setMemory(fixture, 32n * GIB, requestId)).provider?.etag, answers[0].provider?.etag);
});

test('another change while one is being decided is BUSY', async (t) => {
  const { fixture } = await start(t);
  let second: Promise<unknown> | undefined;
  fixture.leader.onAsked = async () => {
    fixture.leader.onAsked = undefined;
    second = refused(t, setMemory(fixture, 16n * GIB), busy);
    await second;
  };
  await setMemory(fixture, 32n * GIB);
  await second;
  t.is((await read(fixture)).total, 32n * GIB);
});

test('a change that died between decision and write ends by itself at any replica', async (t) => {
  const { fixture } = await start(t);
  const asked = Promise.withResolvers<void>();
  const never = new Promise<void>(() => undefined);
  fixture.leader.onAsked = () => {
    asked.resolve();
    return never;
  };
  // As a killed process: the call never comes back, its reservation stays.
  const died = new AbortController();
  const call = createClient(ProviderService, fixture.admin).updateProvider(
    { provider: withMemory(32n * GIB), updateMask: { paths: ['spec.inventories'] } },
    { signal: died.signal },
  );
  call.catch(() => undefined);
  await asked.promise;
  fixture.leader.onAsked = undefined;
  await refused(t, setMemory(fixture, 48n * GIB), busy);
  fixture.clock.shift(RESERVED_MS + 1);
  const { provider } = await setMemory(fixture, 48n * GIB);
  t.is(provider?.spec?.inventories[0]?.total, 48n * GIB);
  const generations = fixture.leader.asked.map((one) => one.inventoryGeneration);
  t.deepEqual(generations, generations.toSorted());
  t.is(new Set(generations).size, generations.length);
  died.abort();
});

test('a deleted provider offers nothing at the leader first, and its name is free again', async (t) => {
  const { fixture, uid } = await start(t);
  const requestId = newId();
  await remove(fixture, requestId);
  const [asked] = fixture.leader.asked;
  t.is(asked?.providerUid, uid);
  t.deepEqual(asked?.capacities, []);
  await t.notThrowsAsync(remove(fixture, requestId));
  await refused(t, remove(fixture, newId()), { kind: 'not_found', reason: 'NOT_FOUND' });
  const again = await makeProvider(fixture, 'HOST-1');
  t.not(again.uid, uid);
});

test('validate_only asks nobody and changes nothing', async (t) => {
  const { fixture } = await start(t);
  const { provider } = await createClient(ProviderService, fixture.admin).updateProvider({
    provider: withMemory(1n * GIB),
    updateMask: { paths: ['spec.inventories'] },
    validateOnly: true,
  });
  t.is(provider?.spec?.inventories[0]?.total, GIB);
  t.deepEqual(fixture.leader.asked, []);
  t.is((await read(fixture)).total, 64n * GIB);
});
