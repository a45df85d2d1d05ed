/** Trees of providers, what keeps one from deletion, and lists by what they have. */
import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { GroupKind } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import { PropertyValueSchema } from '../../gen/runmachine/common/v1/property_pb.ts';
import { type Provider, ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { RESERVED_MS } from '../../services/inventory/domain/reservation.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  GIB,
  type InventoryFixture,
  makeGroup,
  makeProvider,
  newId,
  vmHost,
} from './inventory-fixture.ts';
import { type InventorySubject, startLab } from './inventory-places.suite.ts';

const bad = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
const busy = { kind: 'aborted', reason: 'BUSY' } as const;
const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
const LAB = 'partitions/lab';

export const inventoryTreesSuite = (subject: InventorySubject): void => {
  treeTests(subject);
  deletionTests(subject);
  filterTests(subject);
  propertyTests(subject);
};

const part = (fixture: InventoryFixture, id: string, parent?: Provider, resourceType = '') =>
  makeProvider(fixture, id, {
    spec: {
      type: ProviderType.DEVICE,
      ...(parent && { parentProvider: parent.name }),
      inventories: resourceType === '' ? [] : [{ resourceType, total: 1n }],
    },
  });

const move = (fixture: InventoryFixture, { name }: Provider, parent?: Provider) =>
  createClient(ProviderService, fixture.admin).updateProvider({
    provider: {
      name,
      spec: { type: ProviderType.DEVICE, ...(parent && { parentProvider: parent.name }) },
    },
    updateMask: { paths: ['spec.parent_provider'] },
  });

const treeTests = (subject: InventorySubject): void => {
  const { test } = subject;

  test('a provider knows its parent and root, also after it was moved, and watchers hear', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    const left = await part(fixture, 'left');
    const right = await part(fixture, 'right');
    const blade = await part(fixture, 'blade', left);
    const nic = await part(fixture, 'nic', blade, 'runm.network.vlan');
    t.is(left.status?.rootUid, left.uid);
    t.is(left.status?.parentUid, '');
    t.is(nic.status?.rootUid, left.uid);
    t.is(nic.status?.parentUid, blade.uid);
    const ended = new AbortController();
    t.teardown(() => ended.abort());
    const watch = providers.watchProviders({ parent: LAB }, { signal: ended.signal });
    const roots = new Map<string, string>();
    let isMoved = false;
    for await (const { events } of watch) {
      for (const { event } of events) {
        if (event.case === 'created' || event.case === 'updated') {
          roots.set(event.value.uid, event.value.status?.rootUid ?? '');
        }
        if (event.case !== 'synced' || isMoved) continue;
        isMoved = true;
        await move(fixture, blade, right);
      }
      if (roots.get(nic.uid) === right.uid && roots.get(blade.uid) === right.uid) break;
    }
    const moved = (await providers.getProvider({ name: blade.name })).provider;
    t.is(moved?.status?.parentUid, right.uid);
    t.is((await providers.getProvider({ name: nic.name })).provider?.status?.rootUid, right.uid);
  });

  test('a move is recorded by the leader first, for all below and for whole ones above', async (t) => {
    const { fixture } = await startLab(t, subject);
    const server = await makeProvider(fixture, 'server', {
      spec: {
        type: ProviderType.BARE_METAL,
        inventories: [
          { resourceType: 'runm.machine.whole', total: 1n },
          { resourceType: 'runm.memory', total: GIB },
        ],
      },
    });
    const tray = await part(fixture, 'tray', server);
    const gpu = await part(fixture, 'gpu', tray, 'runm.gpu.virtual');
    const { provider } = await move(fixture, tray);
    t.is(provider?.status?.rootUid, tray.uid);
    const asked = new Map(
      fixture.leader.asked.map((one) => [
        one.providerUid,
        one.capacities.map(({ resourceType }) => resourceType),
      ]),
    );
    t.deepEqual(asked.get(gpu.uid), []);
    t.deepEqual(asked.get(server.uid), ['runm.memory']);
    t.is(asked.size, 2, 'what offers nothing need not be asked for');
    const providers = createClient(ProviderService, fixture.admin);
    for (const { uid } of [gpu, server]) {
      const { provider: now } = await providers.getProvider({ name: `${LAB}/providers/${uid}` });
      const generation = fixture.leader.asked.find((one) => one.providerUid === uid);
      t.is(now?.generation, generation?.inventoryGeneration);
    }
  });

  test('nothing is moved while something below it is used', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    const { leader } = fixture;
    const [root, blade] = [await part(fixture, 'root'), await part(fixture, 'blade')];
    const gpu = await part(fixture, 'gpu', blade, 'runm.gpu.virtual');
    await part(fixture, 'other-gpu', blade, 'runm.gpu.virtual');
    leader.claims.set(gpu.uid, [`${LAB}/projects/red/claims/train`]);
    leader.used.set('runm.gpu.virtual', 1n);
    const error = await refused(t, move(fixture, blade, root), inUse);
    t.regex(error.message, /Cannot move .*gpu: claims \(.*train\)/);
    t.is(error.metadata.claims, `${LAB}/projects/red/claims/train`);
    const { provider } = await providers.getProvider({ name: gpu.name });
    t.is(provider?.status?.rootUid, blade.uid);
    leader.used.clear();
    leader.claims.clear();
    t.is((await move(fixture, blade, root)).provider?.status?.rootUid, root.uid);
    t.is((await providers.getProvider({ name: gpu.name })).provider?.status?.rootUid, root.uid);
  });
};

const deletionTests = (subject: InventorySubject): void => {
  const { test } = subject;

  test('a deletion that is blocked says by which parts and which claims', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    const root = await part(fixture, 'root');
    const blade = await part(fixture, 'blade', root, 'runm.gpu.virtual');
    const error = await refused(t, providers.deleteProvider({ name: root.name }), inUse);
    t.is(error.metadata.children, '1');
    t.is(error.metadata.children_names, blade.name);
    fixture.leader.used.set('runm.gpu.virtual', 1n);
    fixture.leader.claims.set(blade.uid, [`${LAB}/projects/red/claims/a`]);
    const used = await refused(t, providers.deleteProvider({ name: blade.name }), inUse);
    t.is(used.metadata.claims, `${LAB}/projects/red/claims/a`);
    t.is(used.metadata.used, '1');
    t.is(used.metadata.wanted, '0');
    t.regex(used.message, /claims\/a.*hold up to 1 of runm\.gpu\.virtual/);
  });

  test('a shrink below what is used names the type, what is used and what was wanted', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    const host = await makeProvider(fixture, 'host');
    fixture.leader.used.set('runm.memory', 40n * GIB);
    const inventories = [
      { resourceType: 'runm.memory', total: 32n * GIB },
      { resourceType: 'runm.cpu.shared', total: 16n, allocationRatioMilli: 4000 },
      { resourceType: 'runm.ipv4', total: 2n ** 60n },
    ];
    const set = () =>
      providers.updateProvider({
        provider: { name: host.name, spec: { type: ProviderType.VM_HOST, inventories } },
        updateMask: { paths: ['spec.inventories'] },
      });
    const error = await refused(t, set(), inUse);
    t.is(error.metadata.resourceType, 'runm.memory');
    t.is(error.metadata.used, String(40n * GIB));
    t.is(error.metadata.wanted, String(32n * GIB));
    fixture.leader.used.clear();
    const { provider } = await set();
    t.is(provider?.spec?.inventories[2]?.total, 2n ** 60n, 'added and changed in one call');
  });

  test('many are deleted together, with their parts, or none is', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    const root = await part(fixture, 'root');
    const ids = Array.from({ length: 40 }, (_, at) => `blade-${at}`);
    for (const id of ids) await part(fixture, id, root, 'runm.gpu.virtual');
    const remove = (those: readonly string[], requestId = newId()) =>
      providers.batchDeleteProviders({ parent: LAB, providers: [...those], requestId });
    const count = async () => (await providers.listProviders({ parent: LAB })).providers.length;
    const ghost = await refused(t, remove(['blade-1', 'ghost', 'spectre']), foreign);
    t.regex(ghost.message, /ghost.*spectre/);
    const staying = await refused(t, remove(['root', ...ids.slice(1)]), inUse);
    t.is(staying.metadata.children_names, `${LAB}/providers/blade-0`);
    const { provider: used } = await providers.getProvider({ name: `${LAB}/providers/blade-7` });
    fixture.leader.claims.set(used?.uid ?? '', [`${LAB}/projects/red/claims/a`]);
    fixture.leader.used.set('runm.gpu.virtual', 1n);
    const blocked = await refused(t, remove(['root', ...ids]), inUse);
    t.is(blocked.metadata.name, `${LAB}/providers/blade-7`);
    t.is(await count(), 41);
    fixture.leader.used.clear();
    const requestId = newId();
    await remove(['ROOT', ...ids], requestId);
    t.is(await count(), 0);
    await t.notThrowsAsync(remove(['ROOT', ...ids], requestId));
  });

  test('a deletion that asks for longer than it is reserved keeps what it has reserved', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    const { clock, leader } = fixture;
    const ids = Array.from({ length: 4 * 32 }, (_, at) => `blade-${at}`);
    for (const id of ids) await part(fixture, id, undefined, 'runm.gpu.virtual');
    const grow = () =>
      providers.updateProvider({
        provider: {
          name: `${LAB}/providers/blade-0`,
          spec: { inventories: [{ resourceType: 'runm.gpu.virtual', total: 9n }] },
        },
        updateMask: { paths: ['spec.inventories'] },
      });
    const stepMs = 9_000;
    t.true(4 * stepMs > RESERVED_MS);
    leader.onAsked = async () => {
      clock.shift(stepMs);
      if (leader.reshapes.length === 4) await refused(t, grow(), busy);
    };
    const deletion = { parent: LAB, providers: ids, requestId: newId() };
    await t.notThrowsAsync(providers.batchDeleteProviders(deletion));
    t.is(leader.reshapes.length, 4);
    t.deepEqual((await providers.listProviders({ parent: LAB })).providers, []);
  });
};

const filterTests = (subject: InventorySubject): void => {
  const { test } = subject;

  test('a list shows those that have all that is asked for, page by page', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    await makeGroup(fixture, 'Row', { kind: GroupKind.ROW });
    await makeGroup(fixture, 'rack-1', { parentGroup: 'row' });
    await makeGroup(fixture, 'power', { kind: GroupKind.POWER });
    const host = (id: string, groups: readonly string[], capabilities: readonly string[] = []) =>
      makeProvider(fixture, id, {
        ...vmHost({ groups: [...groups], capabilities: [...capabilities] }),
        tags: [id.slice(0, 1)],
      });
    await host('a1', ['rack-1', 'row'], ['vm.qemu']);
    await host('a2', ['row', 'power']);
    await host('b1', ['power'], ['vm.qemu']);
    const root = await part(fixture, 'c-root');
    await part(fixture, 'c-part', root, 'runm.gpu.virtual');
    const named = async (filter: Parameters<typeof providers.listProviders>[0]['filter']) => {
      const names: string[] = [];
      for (let pageToken = ''; ; ) {
        const page = await providers.listProviders({ parent: LAB, filter, pageSize: 1, pageToken });
        names.push(...page.providers.map(({ name }) => name.slice(`${LAB}/providers/`.length)));
        pageToken = page.nextPageToken;
        if (pageToken === '') return names;
      }
    };
    t.deepEqual(await named({ group: 'ROW' }), ['a1', 'a2']);
    t.deepEqual(await named({ group: 'rack-1' }), ['a1']);
    t.deepEqual(await named({ group: 'ghost' }), []);
    t.deepEqual(await named({ capability: 'vm.qemu' }), ['a1', 'b1']);
    t.deepEqual(await named({ group: 'row', capability: 'vm.qemu' }), ['a1']);
    t.deepEqual(await named({ group: 'power', tag: 'b', type: ProviderType.VM_HOST }), ['b1']);
    t.deepEqual(await named({ tag: 'A' }), [], 'tags are compared as they are');
    t.deepEqual(await named({ resourceType: 'runm.gpu.virtual' }), ['c-part']);
    t.deepEqual(await named({ type: ProviderType.DEVICE }), ['c-part', 'c-root']);
    for (const inTree of ['C-PART', root.uid]) {
      t.deepEqual(await named({ inTree }), ['c-part', 'c-root']);
    }
    t.deepEqual(await named({ inTree: 'c-root', resourceType: 'runm.gpu.virtual' }), ['c-part']);
    t.deepEqual(await named({}), ['a1', 'a2', 'b1', 'c-part', 'c-root']);
    const everywhere = await providers.listProviders({
      parent: 'partitions/-',
      filter: { group: 'row', tag: 'a' },
    });
    t.is(everywhere.providers.length, 2);
    const first = await providers.listProviders({ parent: LAB, pageSize: 1 });
    const other = { parent: LAB, filter: { tag: 'a' }, pageToken: first.nextPageToken };
    await refused(t, providers.listProviders(other), {
      kind: 'invalid_argument',
      reason: 'PAGE_TOKEN_MISMATCH',
    });
  });
};

const propertyTests = (subject: InventorySubject): void => {
  const { test } = subject;
  const text = create(PropertyValueSchema, { kind: { case: 'stringValue', value: 'long' } });
  const days = create(PropertyValueSchema, { kind: { case: 'integerValue', value: 90n } });

  test('a property has the kind that its definition says', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    const make = (id: string, properties: Readonly<Record<string, typeof text>>) =>
      makeProvider(fixture, id, { ...vmHost(), properties });
    const error = await refused(t, make('a', { 'warranty-days': text }), bad);
    t.is(error.metadata.field, 'properties.warranty-days');
    t.regex(error.message, /integer.*string/);
    const made = await make('a', { 'warranty-days': days, anything: text, undefined: days });
    const update = (properties: Readonly<Record<string, typeof text>>) =>
      providers.updateProvider({
        provider: { name: made.name, spec: { type: ProviderType.VM_HOST }, properties },
        updateMask: { paths: ['properties'] },
      });
    await refused(t, update({ cooling: days }), bad);
    await t.notThrowsAsync(update({ cooling: text }));
    const group = makeGroup(fixture, 'g');
    await t.notThrowsAsync(group);
  });

  test('without metadata every kind is allowed, so that operators can work', async (t) => {
    const { fixture } = await startLab(t, subject);
    fixture.leader.isAway = true;
    const properties = { 'warranty-days': text };
    await t.notThrowsAsync(makeProvider(fixture, 'a', { ...vmHost(), properties }));
  });

  test('a masked update needs no type', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    const made = await makeProvider(fixture, 'a');
    const provider = { name: made.name, spec: { capabilities: ['vm.qemu'] } };
    const updated = await providers.updateProvider({
      provider,
      updateMask: { paths: ['spec.capabilities'] },
    });
    t.deepEqual(updated.provider?.spec?.capabilities, ['vm.qemu']);
    t.is(updated.provider?.spec?.type, ProviderType.VM_HOST);
    const none = makeProvider(fixture, 'b', { spec: {} });
    t.is((await refused(t, none, bad)).metadata.field, 'spec.type');
  });
};
