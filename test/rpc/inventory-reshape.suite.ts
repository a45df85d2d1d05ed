/** Amounts that move between providers of a tree, whatever dies in between. */
import { createClient } from '@connectrpc/connect';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ResourceTypeService } from '../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { RESERVED_MS } from '../../services/inventory/domain/reservation.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { type InventoryFixture, makeProvider, newId } from './inventory-fixture.ts';
import { type InventorySubject, startLab } from './inventory-places.suite.ts';

const bad = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
const busy = { kind: 'aborted', reason: 'BUSY' } as const;
const LAB = 'partitions/lab';
const GPU = 'runm.gpu.virtual';

/** A server that offers eight GPUs, and two parts that offer nothing yet. */
const startServer = async (t: Parameters<typeof startLab>[0], subject: InventorySubject) => {
  const { fixture, providers } = await startLab(t, subject);
  const server = await makeProvider(fixture, 'server', {
    spec: {
      type: ProviderType.BARE_METAL,
      inventories: [{ resourceType: GPU, total: 8n }],
    },
  });
  const spec = { type: ProviderType.DEVICE, parentProvider: server.name };
  const parts = [
    await makeProvider(fixture, 'part-0', { spec }),
    await makeProvider(fixture, 'part-1', { spec }),
  ] as const;
  return { fixture, providers, server, parts };
};

const toParts = (requestId = newId(), resourceType = GPU) => ({
  parent: LAB,
  providers: [
    { provider: 'server', inventories: [] },
    { provider: 'PART-0', inventories: [{ resourceType, total: 4n }] },
    { provider: 'part-1', inventories: [{ resourceType, total: 4n }] },
  ],
  moves: [{ fromProvider: 'server', toProvider: 'part-1', resourceType: GPU }],
  requestId,
});

const totals = async ({ admin }: InventoryFixture) => {
  const { providers } = await createClient(ProviderService, admin).listProviders({ parent: LAB });
  return providers.map(({ spec }) => Number(spec?.inventories[0]?.total ?? 0n));
};

const BEFORE = [0, 0, 8];
const AFTER = [4, 4, 0];

export const inventoryReshapeSuite = (subject: InventorySubject): void => {
  reshapeTests(subject);
  crashTests(subject);
};

const reshapeTests = (subject: InventorySubject): void => {
  const { test } = subject;

  test('a reshape is one step of the leader, then written with its generations', async (t) => {
    const { fixture, providers, server, parts } = await startServer(t, subject);
    const request = toParts();
    let seen: readonly number[] = [];
    fixture.leader.onAsked = async () => {
      seen = await totals(fixture);
    };
    const first = await providers.reshapeProvider(request);
    t.deepEqual(seen, BEFORE);
    t.deepEqual(await totals(fixture), AFTER);
    const [asked] = fixture.leader.reshapes;
    t.deepEqual(
      asked?.providers.map(({ providerUid }) => providerUid),
      [server.uid, parts[0].uid, parts[1].uid],
    );
    t.deepEqual(
      asked?.providers.map(({ inventoryGeneration }) => inventoryGeneration),
      first.providers.map(({ generation }) => generation),
    );
    t.deepEqual(
      asked?.providers.map(({ capacities }) => capacities[0]?.usable),
      [undefined, 4n, 4n],
    );
    t.is(asked?.moves[0]?.fromProviderUid, server.uid);
    t.is(asked?.moves[0]?.toProviderUid, parts[1].uid);
    t.deepEqual(await providers.reshapeProvider(request), first);
    t.is(fixture.leader.reshapes.length, 1);
    const offering = { parent: LAB, filter: { resourceType: GPU } };
    t.is((await providers.listProviders(offering)).providers.length, 2);
  });

  test('what the leader refuses leaves everything as it was', async (t) => {
    const { fixture, providers, server } = await startServer(t, subject);
    fixture.leader.used.set('runm.memory', 1n);
    await refused(t, providers.reshapeProvider(toParts()), inUse);
    t.deepEqual(await totals(fixture), BEFORE);
    t.is((await providers.getProvider({ name: server.name })).provider?.generation, 1n);
    const offering = { parent: LAB, filter: { resourceType: GPU } };
    t.is((await providers.listProviders(offering)).providers.length, 1);
    fixture.leader.used.clear();
    await providers.reshapeProvider(toParts());
    t.deepEqual(await totals(fixture), AFTER);
  });

  test('a reshape of something else than one tree, or of wrong amounts, is refused', async (t) => {
    const { fixture, providers, server } = await startServer(t, subject);
    await makeProvider(fixture, 'stranger');
    const request = toParts();
    const wrong = async (change: Partial<typeof request>, field: string): Promise<void> => {
      const call = providers.reshapeProvider({ ...request, ...change, requestId: newId() });
      t.is((await refused(t, call, bad)).metadata.field, field);
    };
    const [first] = request.providers;
    if (first === undefined) throw new Error('No provider');
    const stranger = { provider: 'stranger', inventories: [] };
    await wrong({ providers: [first, stranger] }, 'providers[1].provider');
    await wrong({ providers: [first, { ...first, provider: server.uid }] }, 'providers');
    const reserved = [{ resourceType: GPU, total: 1n, reserved: 2n }];
    await wrong(
      { providers: [{ ...first, inventories: reserved }] },
      'providers[0].inventories[0].reserved',
    );
    const move = { fromProvider: 'server', toProvider: 'stranger', resourceType: GPU };
    await wrong({ moves: [move] }, 'moves[0].to_provider');
    await wrong({ moves: [{ ...move, toProvider: server.uid }] }, 'moves[0].to_provider');
    const ghost = { ...first, provider: 'ghost' };
    await refused(t, providers.reshapeProvider({ ...request, providers: [ghost] }), {
      kind: 'not_found',
      reason: 'NOT_FOUND',
    });
    t.deepEqual(fixture.leader.reshapes, []);
  });
};

const crashTests = (subject: InventorySubject): void => {
  const { test } = subject;

  /** As a killed process: the leader has recorded it, its answer never comes. */
  const die = async (fixture: InventoryFixture, requestId = newId()) => {
    const { leader } = fixture;
    leader.losesAnswers = true;
    const call = createClient(ProviderService, fixture.admin).reshapeProvider(toParts(requestId));
    await call.catch(() => undefined);
    leader.losesAnswers = false;
  };

  test('what the leader has recorded is written by whichever replica is there', async (t) => {
    const { fixture, providers, server } = await startServer(t, subject);
    await die(fixture);
    t.deepEqual(await totals(fixture), BEFORE);
    // Neither a change nor a reshape takes it over, however late: it may be recorded.
    fixture.clock.shift(RESERVED_MS + 1);
    const grow = providers.updateProvider({
      provider: { name: server.name, spec: { inventories: [{ resourceType: GPU, total: 9n }] } },
      updateMask: { paths: ['spec.inventories'] },
    });
    const { startReplica } = fixture;
    await refused(t, grow, busy);
    await refused(t, providers.reshapeProvider(toParts()), busy);
    // More is used by now: what was recorded is not judged again.
    fixture.leader.used.set('runm.memory', 1n);
    const other = await startReplica();
    await eventually(async () => String(await totals(other)) === String(AFTER), {
      message: 'the reshape is written',
    });
    const [asked] = fixture.leader.reshapes;
    const { provider } = await providers.getProvider({ name: server.name });
    t.is(provider?.generation, asked?.providers[0]?.inventoryGeneration);
  });

  test('what may be recorded stays reserved while the leader does not answer', async (t) => {
    const { fixture, providers, server } = await startServer(t, subject);
    const { leader } = fixture;
    await die(fixture);
    fixture.clock.shift(RESERVED_MS + 1);
    leader.isAway = true;
    await fixture.startReplica();
    await eventually(() => leader.missed >= 3, {
      message: 'the leader is asked for the sake of each provider',
    });
    const grow = providers.updateProvider({
      provider: { name: server.name, spec: { inventories: [{ resourceType: GPU, total: 9n }] } },
      updateMask: { paths: ['spec.inventories'] },
    });
    await refused(t, grow, busy);
    await refused(t, providers.reshapeProvider(toParts()), busy);
    t.deepEqual(await totals(fixture), BEFORE);
    leader.isAway = false;
    const other = await fixture.startReplica();
    await eventually(async () => String(await totals(other)) === String(AFTER), {
      message: 'the reshape is written',
    });
  });

  test('its repeat completes it, before and after a replica has', async (t) => {
    const { fixture, providers } = await startServer(t, subject);
    const requestId = newId();
    await die(fixture, requestId);
    const answer = await providers.reshapeProvider(toParts(requestId));
    t.deepEqual(await totals(fixture), AFTER);
    t.is(answer.providers[1]?.spec?.inventories[0]?.total, 4n);
    t.is(fixture.leader.recorded.size, 1);

    const later = await startServer(t, subject);
    await die(later.fixture, requestId);
    later.fixture.clock.shift(RESERVED_MS + 1);
    const other = await later.fixture.startReplica();
    await eventually(async () => String(await totals(other)) === String(AFTER), {
      message: 'the reshape is written',
    });
    const repeated = await later.providers.reshapeProvider(toParts(requestId));
    t.is(repeated.providers[1]?.spec?.inventories[0]?.total, 4n);
    t.deepEqual(await totals(other), AFTER);
  });

  test('what the leader never recorded is given back once it says so', async (t) => {
    const { fixture, providers } = await startServer(t, subject);
    fixture.leader.isAway = true;
    await refused(t, providers.reshapeProvider(toParts()), {
      kind: 'unavailable',
      reason: 'NO_LEADER',
    });
    fixture.clock.shift(RESERVED_MS + 1);
    fixture.leader.isAway = false;
    fixture.leader.used.set('runm.memory', 1n);
    await fixture.startReplica();
    fixture.leader.used.set('runm.memory', 1n);
    await eventually(
      async () => {
        const other = providers.reshapeProvider(toParts());
        const error: unknown = await other.catch((thrown: unknown) => thrown);
        return String(error).includes('Claims hold') || String(error).includes('claims');
      },
      { message: 'the providers are free again' },
    );
    t.deepEqual(await totals(fixture), BEFORE);
  });

  test('a resource type that is about to be offered stays', async (t) => {
    const { fixture } = await startServer(t, subject);
    const types = createClient(ResourceTypeService, fixture.admin);
    const resourceType = { spec: { unit: 'seats' } };
    await types.createResourceType({ resourceTypeId: 'acme.x', resourceType, requestId: newId() });
    fixture.leader.losesAnswers = true;
    const providers = createClient(ProviderService, fixture.admin);
    await providers.reshapeProvider(toParts(newId(), 'acme.x')).catch(() => undefined);
    const remove = types.deleteResourceType({ name: 'resourceTypes/acme.x' });
    await refused(t, remove, inUse);
  });
};
