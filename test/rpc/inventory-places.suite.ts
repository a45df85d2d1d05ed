/** Groups, distances and what operators define, on whichever database. */
import { createClient } from '@connectrpc/connect';
import type { ExecutionContext } from 'ava';
import { GroupKind } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import { CapabilityService } from '../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { DistanceTypeService } from '../../gen/runmachine/inventory/v1/distance_type_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderGroupService } from '../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ResourceTypeService } from '../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  type InventoryFixture,
  makeGroup,
  makePartition,
  makeProvider,
  newId,
  startInventory,
  vmHost,
} from './inventory-fixture.ts';

export type InventorySubject = {
  /** AVA's `test` or `test.serial`. */
  readonly test: (title: string, run: (t: ExecutionContext) => Promise<void>) => void;
  /** An empty database; absent = SQLite. */
  readonly createUrl?: () => Promise<string>;
};

const bad = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
const unknownGroup = { kind: 'invalid_argument', reason: 'UNKNOWN_GROUP' } as const;
const inUse = { kind: 'failed_precondition', reason: 'IN_USE' } as const;
const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
const LAB = 'partitions/lab';

/** An inventory with the partition "lab" on a database of its own. */
export const startLab = async (t: ExecutionContext, { createUrl }: InventorySubject) => {
  const url = await createUrl?.();
  const fixture = await startInventory(t, url === undefined ? {} : { url });
  await makePartition(fixture, 'lab');
  return {
    fixture,
    providers: createClient(ProviderService, fixture.admin),
    groups: createClient(ProviderGroupService, fixture.admin),
  };
};

const makeDistanceType = (fixture: InventoryFixture) =>
  createClient(DistanceTypeService, fixture.admin).createDistanceType({
    distanceTypeId: 'fabric',
    distanceType: {
      spec: {
        steps: [
          { code: 'same-rack', position: 1, sharedKind: GroupKind.RACK },
          { code: 'same-row', position: 2 },
          { code: 'far', position: 9 },
        ],
      },
    },
    requestId: newId(),
  });

export const inventoryPlacesSuite = (subject: InventorySubject): void => {
  groupTests(subject);
  distanceTests(subject);
  catalogTests(subject);
};

const groupTests = (subject: InventorySubject): void => {
  const { test } = subject;

  test('groups lie in groups, whatever the case of their ids, and close no circle', async (t) => {
    const { fixture, groups } = await startLab(t, subject);
    await makeGroup(fixture, 'Row-1', { kind: GroupKind.ROW });
    const rack = await makeGroup(fixture, 'rack-1', { parentGroup: 'ROW-1' });
    t.is(rack.spec?.parentGroup, 'Row-1');
    t.is(rack.status?.members, 0);
    const again = makeGroup(fixture, 'RACK-1');
    await refused(t, again, { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
    await refused(t, makeGroup(fixture, 'x', { parentGroup: 'ghost' }), unknownGroup);
    const move = (name: string, parentGroup: string) =>
      groups.updateProviderGroup({
        group: { name, spec: { kind: GroupKind.ROW, parentGroup } },
        updateMask: { paths: ['spec.parent_group'] },
      });
    const circle = await refused(t, move(`${LAB}/groups/row-1`, 'Rack-1'), bad);
    t.is(circle.metadata.field, 'spec.parent_group');
    await refused(t, move(`${LAB}/groups/row-1`, 'row-1'), bad);
    const { group } = await move(rack.name, '');
    t.is(group?.spec?.parentGroup, '');
    t.is(group?.spec?.kind, GroupKind.RACK, 'only the masked field changed');
    t.is(group?.generation, 2n);
    t.is((await move(`${LAB}/groups/row-1`, 'rack-1')).group?.spec?.parentGroup, 'rack-1');
    const listed = await groups.listProviderGroups({ parent: LAB });
    t.deepEqual(
      listed.groups.map(({ name }) => name),
      [rack.name, `${LAB}/groups/Row-1`],
    );
  });

  test('a provider names groups that there are, and they count it', async (t) => {
    const { fixture, groups } = await startLab(t, subject);
    const error = await refused(t, makeProvider(fixture, 'a', vmHost({ groups: ['r'] })), {
      ...unknownGroup,
    });
    t.deepEqual(error.extras.violations?.[0]?.field, 'spec.groups[0]');
    await makeGroup(fixture, 'Rack-1');
    const made = await makeProvider(fixture, 'a', vmHost({ groups: ['RACK-1'] }));
    t.deepEqual(made.spec?.groups, ['Rack-1']);
    const twice = makeProvider(fixture, 'b', vmHost({ groups: ['rack-1', 'RACK-1'] }));
    await refused(t, twice, unknownGroup);
    const { group } = await groups.getProviderGroup({ name: `${LAB}/groups/rack-1` });
    t.is(group?.status?.members, 1);
    const reader = createClient(ProviderGroupService, fixture.asPerson('lab-reader'));
    t.is((await reader.listProviderGroups({ parent: LAB })).groups.length, 1);
    const member = createClient(ProviderGroupService, fixture.asPerson('red-member'));
    const seen = member.getProviderGroup({ name: `${LAB}/groups/rack-1` });
    await t.throwsAsync(seen);
  });

  test('members are changed all or nothing, and every one of them has the group', async (t) => {
    const { fixture, groups, providers } = await startLab(t, subject);
    await makeGroup(fixture, 'Rack-1');
    const [a, b] = [await makeProvider(fixture, 'a'), await makeProvider(fixture, 'b')];
    const name = `${LAB}/groups/rack-1`;
    const request = { name, add: ['A', b.uid], requestId: newId() };
    const first = await groups.changeMembers(request);
    t.is(first.group?.status?.members, 2);
    t.deepEqual(await groups.changeMembers(request), first);
    const { provider } = await providers.getProvider({ name: a.name });
    t.deepEqual(provider?.spec?.groups, ['Rack-1']);
    t.is(provider?.generation, 2n);
    const half = await refused(t, groups.changeMembers({ name, remove: ['a', 'ghost'] }), foreign);
    t.regex(half.message, /ghost/);
    const both = groups.changeMembers({ name, add: ['a'], remove: ['a'] });
    await refused(t, both, bad);
    const kept = await groups.changeMembers({ name, add: ['a'] });
    t.is(kept.group?.status?.members, 2);
    t.is((await providers.getProvider({ name: a.name })).provider?.generation, 2n);
    const left = await groups.changeMembers({ name, remove: ['a'] });
    t.is(left.group?.status?.members, 1);
    t.deepEqual((await providers.getProvider({ name: a.name })).provider?.spec?.groups, []);
  });

  test('a group stays while anything needs it, and says what does', async (t) => {
    const { fixture, groups, providers } = await startLab(t, subject);
    await makeDistanceType(fixture);
    const row = await makeGroup(fixture, 'row', { kind: GroupKind.ROW });
    const rack = await makeGroup(fixture, 'rack', { parentGroup: 'row' });
    const distances = [{ type: 'fabric', group: 'row', step: 'far' }];
    const member = await makeProvider(fixture, 'a', vmHost({ groups: ['row'], distances }));
    const remove = () => groups.deleteProviderGroup({ name: row.name });
    const error = await refused(t, remove(), inUse);
    t.is(error.metadata.members_names, member.name);
    t.is(error.metadata.groups_names, rack.name);
    t.is(error.metadata.distances_names, member.name);
    t.regex(error.message, /a.*rack/s);
    const partitions = createClient(PartitionService, fixture.admin);
    await refused(t, partitions.deletePartition({ name: LAB }), inUse);
    await groups.deleteProviderGroup({ name: rack.name });
    await providers.deleteProvider({ name: member.name });
    await refused(t, groups.deleteProviderGroup({ name: row.name, etag: 'x' }), {
      kind: 'aborted',
      reason: 'ETAG_MISMATCH',
    });
    await remove();
    await refused(t, remove(), foreign);
    await t.notThrowsAsync(groups.deleteProviderGroup({ name: row.name, allowMissing: true }));
    await t.notThrowsAsync(partitions.deletePartition({ name: LAB }));
  });

  test('a watch of groups tells of each, and of none of other partitions', async (t) => {
    const { fixture, groups } = await startLab(t, subject);
    await makePartition(fixture, 'other');
    const there = await makeGroup(fixture, 'there');
    const ended = new AbortController();
    t.teardown(() => ended.abort());
    const told: string[] = [];
    let step = 0;
    const steps = [
      () =>
        groups.createProviderGroup({
          parent: 'partitions/other',
          groupId: 'elsewhere',
          group: { spec: { kind: GroupKind.SITE } },
          requestId: newId(),
        }),
      () => makeGroup(fixture, 'new'),
      () =>
        groups.updateProviderGroup({
          group: { name: there.name, tags: ['x'] },
          updateMask: { paths: ['tags'] },
        }),
      () => groups.deleteProviderGroup({ name: there.name }),
    ];
    const watch = groups.watchProviderGroups({ parent: LAB }, { signal: ended.signal });
    for await (const { events } of watch) {
      for (const { event } of events) {
        if (event.case === undefined || event.case === 'bookmark') continue;
        const name = event.case === 'synced' ? '' : event.value.name.slice(LAB.length);
        told.push(`${event.case} ${name}`.trim());
        // Nobody hears of the first step, so the second follows at once.
        if (event.case === 'synced') await steps[step++]?.();
        if (told.length > 1) await steps[step++]?.();
      }
      if (told.at(-1)?.startsWith('deleted')) break;
    }
    t.deepEqual(told, [
      'created /groups/there',
      'synced',
      'created /groups/new',
      'updated /groups/there',
      'deleted /groups/there',
    ]);
  });

  test('a shared provider exists, and stays while a group shares it', async (t) => {
    const { fixture, groups, providers } = await startLab(t, subject);
    const ghost = makeGroup(fixture, 'pool', { sharedProviders: [newId()] });
    const error = await refused(t, ghost, bad);
    t.is(error.metadata.field, 'spec.shared_providers[0]');
    const pool = await makeProvider(fixture, 'pool', { spec: { type: ProviderType.STORAGE_POOL } });
    const group = await makeGroup(fixture, 'near-pool', { sharedProviders: [pool.uid] });
    const kept = await refused(t, providers.deleteProvider({ name: pool.name }), inUse);
    t.is(kept.metadata.groups_names, group.name);
    await groups.updateProviderGroup({
      group: { name: group.name, spec: { kind: GroupKind.RACK } },
      updateMask: { paths: ['spec.shared_providers'] },
    });
    await t.notThrowsAsync(providers.deleteProvider({ name: pool.name }));
  });
};

const distanceTests = (subject: InventorySubject): void => {
  const { test } = subject;

  test('steps of a distance type are unique and grow', async (t) => {
    const { fixture } = await startLab(t, subject);
    const types = createClient(DistanceTypeService, fixture.admin);
    const make = (steps: readonly { code: string; position: number }[]) =>
      types.createDistanceType({
        distanceTypeId: 'power',
        distanceType: { spec: { steps: [...steps] } },
        requestId: newId(),
      });
    const near = { code: 'near', position: 1 };
    const twice = await refused(t, make([near, { code: 'near', position: 2 }]), bad);
    t.is(twice.metadata.field, 'spec.steps[1].code');
    const equal = await refused(t, make([near, { code: 'far', position: 1 }]), bad);
    t.is(equal.metadata.field, 'spec.steps[1].position');
    const { distanceType } = await make([near, { code: 'far', position: 2 }]);
    t.is(distanceType?.name, 'distanceTypes/power');
    const all = (await types.listDistanceTypes({})).distanceTypes;
    t.deepEqual(
      all.map(({ name, spec }) => [name, spec?.steps.map(({ code }) => code).join(' ')]),
      [
        ['distanceTypes/failure', 'same-feed same-rack same-row same-site'],
        ['distanceTypes/network', 'same-rack same-row same-site'],
        ['distanceTypes/power', 'near far'],
        ['distanceTypes/storage', 'same-rack same-row same-site'],
      ],
      'what is measured by the groups of an installation is there from the start',
    );
  });

  test('distances name types, steps and groups that there are', async (t) => {
    const { fixture } = await startLab(t, subject);
    await makeDistanceType(fixture);
    await makeGroup(fixture, 'Row');
    const place = (distance: { type: string; group: string; step: string }) =>
      makeProvider(fixture, 'x', vmHost({ distances: [distance] }));
    const right = { type: 'fabric', group: 'row', step: 'far' };
    for (const [wrong, field] of [
      [{ ...right, type: 'sound' }, 'type'],
      [{ ...right, step: 'next-door' }, 'step'],
      [{ ...right, group: 'ghost' }, 'group'],
    ] as const) {
      const error = await refused(t, place(wrong), bad);
      t.is(error.metadata.field, `spec.distances[0].${field}`);
    }
    const made = await place(right);
    t.is(made.spec?.distances[0]?.group, 'Row');
    const self = makeGroup(fixture, 'self', { distances: [{ ...right, group: 'SELF' }] });
    await refused(t, self, bad);
    const twice = makeGroup(fixture, 'other', { distances: [right, { ...right, step: 'far' }] });
    await refused(t, twice, bad);
  });

  test('a distance type and its steps stay while they are named', async (t) => {
    const { fixture, groups } = await startLab(t, subject);
    await makeDistanceType(fixture);
    await makeGroup(fixture, 'a');
    const distances = [{ type: 'fabric', group: 'a', step: 'same-row' }];
    const far = await makeGroup(fixture, 'b', { distances });
    const types = createClient(DistanceTypeService, fixture.admin);
    const name = 'distanceTypes/fabric';
    const error = await refused(t, types.deleteDistanceType({ name }), inUse);
    t.is(error.metadata.distances_names, far.name);
    const keep = (codes: readonly string[]) =>
      types.updateDistanceType({
        distanceType: {
          name,
          spec: { steps: codes.map((code, position) => ({ code, position })) },
        },
        updateMask: { paths: ['spec.steps'] },
      });
    await refused(t, keep(['same-rack', 'far']), inUse);
    const { distanceType } = await keep(['same-row', 'elsewhere']);
    t.is(distanceType?.generation, 2n);
    await groups.deleteProviderGroup({ name: far.name });
    await types.deleteDistanceType({ name });
    await refused(t, types.getDistanceType({ name }), foreign);
  });
};

const catalogTests = (subject: InventorySubject): void => {
  const { test } = subject;

  test('resource types of operators are made, offered, and stay while they are', async (t) => {
    const { fixture, providers } = await startLab(t, subject);
    const types = createClient(ResourceTypeService, fixture.admin);
    const make = (resourceTypeId: string, unit = 'licences') =>
      types.createResourceType({
        resourceTypeId,
        resourceType: { spec: { unit, description: 'Seats' } },
        requestId: newId(),
      });
    await refused(t, make('runm.seats'), bad);
    const { resourceType } = await make('acme.seats');
    t.is(resourceType?.spec?.unit, 'licences');
    await refused(t, make('acme.seats'), { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
    const name = 'resourceTypes/acme.seats';
    const change = (of: string, path: string, unit: string) =>
      types.updateResourceType({
        resourceType: { name: of, spec: { unit, description: 'Chairs' } },
        updateMask: { paths: [path] },
      });
    const changed = await change(name, 'spec.description', 'licences');
    t.is(changed.resourceType?.spec?.description, 'Chairs');
    t.is((await refused(t, change(name, 'spec.unit', 'rows'), bad)).metadata.field, 'spec.unit');
    const builtIn = { kind: 'failed_precondition', reason: 'NOT_ALLOWED' } as const;
    await refused(t, change('resourceTypes/runm.memory', 'spec.description', 'bytes'), builtIn);
    await refused(t, types.deleteResourceType({ name: 'resourceTypes/runm.memory' }), builtIn);
    const inventories = [{ resourceType: 'acme.seats', total: 5n }];
    const host = await makeProvider(fixture, 'a', vmHost({ inventories }));
    const error = await refused(t, types.deleteResourceType({ name }), inUse);
    t.is(error.metadata.providers_names, host.name);
    await providers.deleteProvider({ name: host.name });
    await types.deleteResourceType({ name });
    await refused(t, makeProvider(fixture, 'b', vmHost({ inventories })), bad);
  });

  test('what a capability means can be said anew', async (t) => {
    const { fixture } = await startLab(t, subject);
    const capabilities = createClient(CapabilityService, fixture.admin);
    const name = 'capabilities/vm.qemu';
    const { capability } = await capabilities.updateCapability({
      capability: { name, spec: { description: 'Runs guests' } },
      updateMask: { paths: ['spec.description'] },
    });
    t.is(capability?.spec?.description, 'Runs guests');
    t.is(capability?.generation, 2n);
    const stale = { name, etag: 'x', spec: {} };
    const update = { capability: stale, updateMask: { paths: ['spec.description'] } };
    await refused(t, capabilities.updateCapability(update), {
      kind: 'aborted',
      reason: 'ETAG_MISMATCH',
    });
    const other = { capability: { ...stale, name: 'partitions/vm.qemu' } };
    await refused(t, capabilities.updateCapability({ ...update, ...other }), bad);
  });

  test('a partition says how long cleaning takes, once for each type of provider', async (t) => {
    const { fixture } = await startLab(t, subject);
    const partitions = createClient(PartitionService, fixture.admin);
    const update = (types: readonly ProviderType[]) =>
      partitions.updatePartition({
        partition: {
          name: LAB,
          spec: { providerTypes: types.map((type) => ({ type, turnaround: { seconds: 900n } })) },
        },
        updateMask: { paths: ['spec.provider_types'] },
      });
    const twice = [ProviderType.BARE_METAL, ProviderType.BARE_METAL];
    const error = await refused(t, update(twice), bad);
    t.is(error.metadata.field, 'spec.provider_types[1].type');
    await update([ProviderType.BARE_METAL]);
    const { partition } = await partitions.getPartition({ name: LAB });
    t.is(partition?.generation, 2n);
    t.is(partition?.spec?.providerTypes[0]?.turnaround?.seconds, 900n);
    const operator = createClient(PartitionService, fixture.asPerson('lab-operator'));
    const denied = { partition: { name: LAB }, updateMask: { paths: ['tags'] } };
    await refused(t, operator.updatePartition(denied), {
      kind: 'permission_denied',
      reason: 'NOT_ALLOWED',
    });
  });
};
