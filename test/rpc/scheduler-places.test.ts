/** What the scheduler learns of places and providers from its neighbours. */
import { create } from '@bufbuild/protobuf';
import test, { type ExecutionContext } from 'ava';
import { GroupKind } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import { PropertyValueSchema } from '../../gen/runmachine/common/v1/property_pb.ts';
import {
  DistanceSchema,
  DistanceTypeSchema,
} from '../../gen/runmachine/inventory/v1/distance_pb.ts';
import { ProviderGroupSchema } from '../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import {
  type Provider,
  ProviderStatusSchema,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { Topology } from '../../services/scheduler/domain/topology.ts';
import { createPartitionDirectory } from '../../services/scheduler/work/partition-directory.ts';
import { createProviderDirectory } from '../../services/scheduler/work/provider-directory.ts';
import { createTopologyDirectory } from '../../services/scheduler/work/topology-directory.ts';
import { eventually } from '../support/eventually.ts';
import { silentLog } from '../support/silent-log.ts';
import { createNeighbours, hostOf, type Neighbours } from './scheduler-neighbours.ts';

const LIMIT = () => AbortSignal.timeout(60_000);

const follow = (t: ExecutionContext, neighbours: Neighbours) => {
  const ended = new AbortController();
  const deps = {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    transport: neighbours.inventory,
  };
  const topologies = createTopologyDirectory({
    ...deps,
    identity: neighbours.identity,
    turnaround: (id) => (partitions.isKnown() ? partitions.turnaround(id) : undefined),
  });
  const partitions = createPartitionDirectory(deps, {
    onIds: () => undefined,
    onSettings: topologies.refresh,
  });
  const providers = createProviderDirectory(deps, topologies.schedulable);
  const told: Topology[] = [];
  topologies.listen('LAB', (topology) => told.push(topology));
  const running = [topologies, partitions, providers].map(({ run }) => run(ended.signal));
  t.teardown(async () => {
    ended.abort();
    await Promise.all(running);
  });
  return { topologies, partitions, providers, told };
};

const group = (id: string, kind: GroupKind, rest: { readonly parentGroup?: string } = {}) =>
  create(ProviderGroupSchema, {
    name: `partitions/lab/groups/${id}`,
    uid: systemRandom.uid(),
    spec: { kind, ...rest, distances: [{ type: 'network', group: 'Core', step: 'near' }] },
  });

const NETWORK = create(DistanceTypeSchema, {
  name: 'distanceTypes/network',
  spec: {
    steps: [
      { code: 'far', position: 9 },
      { code: 'near', position: 1, sharedKind: GroupKind.RACK },
    ],
  },
});

test('groups, distances, turnarounds and definitions make one topology', async (t) => {
  const neighbours = createNeighbours();
  neighbours.distanceTypes.push(NETWORK);
  neighbours.schedulable.push('tier');
  neighbours.turnaroundSeconds.current = 90;
  neighbours.tellGroup(group('Row1', GroupKind.ROW));
  const rack = group('Rack7', GroupKind.RACK, { parentGroup: 'ROW1' });
  neighbours.tellGroup(rack);
  const { topologies, told } = follow(t, neighbours);
  await eventually(() => topologies.missing() === undefined, { message: 'everything told' });
  await eventually(() => topologies.of('lab').schedulable.has('tier'), { message: 'its keys' });
  const topology = topologies.of('lab');
  t.deepEqual([...topology.groups.keys()].sort(), ['rack7', 'row1']);
  t.deepEqual(topology.groups.get('rack7'), {
    id: 'rack7',
    kind: 'rack',
    parent: 'row1',
    sharedProviders: [],
    distances: [{ type: 'network', group: 'core', step: 'near' }],
  });
  t.deepEqual(topology.distanceTypes.get('network')?.steps, [
    { code: 'near', position: 1, sharedKind: 'rack' },
    { code: 'far', position: 9, sharedKind: undefined },
  ]);
  t.is(topology.turnaroundMs.get('bare-metal'), 90_000);
  t.deepEqual([...topology.schedulable], ['tier']);
  t.is(told.at(-1), topology, 'a listener has the newest');
  t.is(topologies.of('attic').groups.size, 0);

  neighbours.dropGroup(rack.uid);
  await eventually(() => !told.at(-1)?.groups.has('rack7'), { message: 'the group is gone' });
  t.true(topology.groups.has('rack7'), 'what was given before stays as it was');
});

test('a group keeps its id when the one that had it before goes, and has no other', async (t) => {
  const neighbours = createNeighbours();
  const before = group('rack1', GroupKind.RACK);
  neighbours.tellGroup(before);
  const { topologies } = follow(t, neighbours);
  const ids = () => [...topologies.of('lab').groups.keys()].join();
  await eventually(() => ids() === 'rack1', { message: 'it is told' });
  const next = group('rack1', GroupKind.ROW);
  neighbours.tellGroup(next);
  const kind = () => topologies.of('lab').groups.get('rack1')?.kind;
  await eventually(() => kind() === 'row', { message: 'the next one has the id' });
  neighbours.dropGroup(before.uid);
  neighbours.tellGroup(group('rack2', GroupKind.RACK));
  await eventually(() => ids() === 'rack1,rack2', { message: 'both are there' });
  t.is(kind(), 'row');
  neighbours.tellGroup(
    create(ProviderGroupSchema, { ...next, name: 'partitions/lab/groups/row9' }),
  );
  await eventually(() => ids() === 'rack2,row9', { message: 'it goes by its new id alone' });
});

test('what a request names is looked for again before it is unknown', async (t) => {
  const neighbours = createNeighbours();
  const { topologies } = follow(t, neighbours);
  await eventually(() => topologies.missing() === undefined, { message: 'everything told' });
  neighbours.distanceTypes.push(NETWORK);
  neighbours.schedulable.push('tier');
  const named = { groups: ['late'], distanceTypes: ['network'], properties: ['tier'] };
  const learning = topologies.learn('lab', named, LIMIT());
  neighbours.tellGroup(group('late', GroupKind.AGGREGATE));
  await learning;
  const { groups, distanceTypes, schedulable } = topologies.of('lab');
  t.deepEqual(
    [groups.has('late'), distanceTypes.has('network'), schedulable.has('tier')],
    [true, true, true],
  );
  await topologies.learn('lab', { ...named, groups: ['never'] }, LIMIT());
  t.false(topologies.of('lab').groups.has('never'));
});

const text = (value: string) =>
  create(PropertyValueSchema, { kind: { case: 'stringValue', value } });

const placed = (id: string): Provider => {
  const host = hostOf({ id });
  host.properties = { tier: text('gold'), note: text(id) };
  host.spec?.groups.push('Rack7');
  host.spec?.distances.push(
    create(DistanceSchema, { type: 'network', group: 'Core', step: 'near' }),
  );
  const parentUid = 'AAAAAAAA-0000-4000-8000-000000000000';
  host.status = create(ProviderStatusSchema, { parentUid });
  return host;
};

test('facts keep what placement may ask for, equal values once', async (t) => {
  const neighbours = createNeighbours();
  neighbours.schedulable.push('tier');
  const [one, two] = [placed('one'), placed('two')];
  neighbours.tell(one);
  neighbours.tell(two);
  const { providers } = follow(t, neighbours);
  await eventually(() => providers.isComplete(), { message: 'providers' });
  const [a, b] = [providers.find('LAB', one.uid), providers.find('lab', two.uid)];
  t.deepEqual([...(a?.groups ?? [])], ['rack7']);
  t.is(a?.parentUid, 'aaaaaaaa-0000-4000-8000-000000000000');
  t.deepEqual([...(a?.properties ?? [])], [['tier', { kind: 'string', value: 'gold' }]]);
  t.deepEqual(a?.distances, [{ type: 'network', group: 'core', step: 'near' }]);
  t.not(a, b);
  for (const key of ['capabilities', 'groups', 'tags', 'offers', 'properties', 'distances']) {
    t.is(Reflect.get(a ?? {}, key), Reflect.get(b ?? {}, key), key);
  }
});

test('providers are read anew when other properties become schedulable', async (t) => {
  const neighbours = createNeighbours();
  const host = placed('one');
  neighbours.tell(host);
  const { providers, topologies } = follow(t, neighbours);
  await eventually(() => providers.find('lab', host.uid), { message: 'the provider' });
  t.is(providers.find('lab', host.uid)?.properties, undefined);
  neighbours.schedulable.push('note');
  await topologies.learn('lab', { groups: [], distanceTypes: [], properties: ['note'] }, LIMIT());
  await eventually(() => providers.find('lab', host.uid)?.properties?.get('note'), {
    message: 'its property',
  });
  t.pass();
});

test('a property may be asked for once every provider was read with it', async (t) => {
  const neighbours = createNeighbours();
  const host = placed('one');
  neighbours.tell(host);
  const { providers, topologies } = follow(t, neighbours);
  await eventually(() => providers.isComplete() && topologies.missing() === undefined, {
    message: 'everything told',
  });
  const valueWhenKnown: unknown[] = [];
  topologies.listen('lab', ({ schedulable }) => {
    if (!schedulable.has('note')) return;
    valueWhenKnown.push(providers.find('lab', host.uid)?.properties?.get('note')?.value);
  });
  neighbours.setAway(true);
  neighbours.schedulable.push('note');
  const named = { groups: [], distanceTypes: [], properties: ['note'] };
  const early = await t.throwsAsync(topologies.learn('lab', named, LIMIT()));
  t.like(early, { kind: 'unavailable', reason: 'SERVICE_UNAVAILABLE' });
  t.false(topologies.of('lab').schedulable.has('note'));
  neighbours.setAway(false);
  await eventually(() => valueWhenKnown.length > 0, { message: 'the key' });
  t.deepEqual(valueWhenKnown, ['one']);
  await t.notThrowsAsync(topologies.learn('lab', named, LIMIT()));
});
