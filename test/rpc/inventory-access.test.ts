import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { PropertyValueSchema } from '../../gen/runmachine/common/v1/property_pb.ts';
import { BmcType, NicType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  makePartition,
  makeProvider,
  newId,
  type ProviderInit,
  startInventory,
  vmHost,
} from './inventory-fixture.ts';

const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
const _bad = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
const denied = { kind: 'permission_denied', reason: 'NOT_ALLOWED' } as const;

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

test('who may not change providers sees no NICs, BMC, agents and facts', async (t) => {
  const { fixture } = await start(t);
  const { name } = await makeProvider(fixture, 'host-1', SECRETIVE);
  const seenBy = async (token: string) => {
    const providers = createClient(ProviderService, fixture.asPerson(token));
    const { provider } = await providers.getProvider({ name });
    const { providers: listed } = await providers.listProviders({ parent: 'partitions/lab' });
    t.deepEqual(listed[0], provider);
    return provider;
  };
  for (const token of ['lab-reader', 'reader']) {
    const seen = await seenBy(token);
    t.is(seen?.spec?.inventories.length, 2);
    const told = JSON.stringify(seen, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    for (const secret of ['10.0.0.9', 'bmc-9', '02:00:00', 'agents/host-1', 'SN-4711']) {
      t.false(told.includes(secret), `${token} sees ${secret}`);
    }
  }
  const operator = await seenBy('lab-operator');
  t.is(operator?.spec?.bmc?.address, '10.0.0.9');
  const service = createClient(ProviderService, fixture.asService('machine'));
  t.is((await service.getProvider({ name })).provider?.spec?.agentPools.length, 1);
});

test('nobody sends a secret that he may not see to a place of his own', async (t) => {
  const { fixture } = await start(t);
  const parent = 'partitions/lab';
  const made = await makeProvider(fixture, 'host-1', SECRETIVE);
  const operator = createClient(ProviderService, fixture.asPerson('lab-operator'));
  const bmc = { type: BmcType.REDFISH, address: '10.6.6.6', secret: 'projects/ops/secrets/bmc-9' };
  const mine = vmHost({ bmc });
  const create = { parent, providerId: 'mine', provider: mine, requestId: newId() };
  const error = await t.throwsAsync(operator.createProvider(create));
  t.regex(error.message, /secrets\/bmc-9" is not there, or you may not see it/);
  const change = (spec: object) =>
    operator.updateProvider({
      provider: { name: made.name, spec },
      updateMask: { paths: ['spec.bmc'] },
    });
  await refused(t, change({ bmc }), _bad);
  const items = [{ providerId: 'mine', provider: mine }];
  const batch = { parent, items, requestId: newId() };
  const { results } = await operator.batchUpsertProviders(batch);
  t.is(results[0]?.error?.message.includes('you may not see it'), true);
  // What went there before may go on, and without a secret nothing is sent.
  await t.notThrowsAsync(change({ bmc: made.spec?.bmc }));
  await t.notThrowsAsync(change({ bmc: { type: BmcType.REDFISH, address: '10.6.6.6' } }));
});

test('nobody has a secret that he may not see read by an agent of his own', async (t) => {
  const { fixture, providers } = await start(t);
  const [ours, mine] = ['partitions/lab/agents/bmc-1', 'partitions/lab/agents/mine'];
  const pools = (...agents: string[]) => [{ role: 'bmc', agents }];
  const bmc = { type: BmcType.REDFISH, address: '10.0.0.9', secret: 'projects/ops/secrets/bmc-9' };
  const made = vmHost({ bmc, agentPools: pools(ours) });
  const { name } = await makeProvider(fixture, 'host-1', made);
  const change = (as: typeof providers, agentPools: ReturnType<typeof pools>) =>
    as.updateProvider({
      provider: { name, spec: { agentPools } },
      updateMask: { paths: ['spec.agent_pools'] },
    });
  const operator = createClient(ProviderService, fixture.asPerson('lab-operator'));
  for (const agents of [[mine], [ours, mine]]) {
    const error = await t.throwsAsync(change(operator, pools(...agents)));
    t.regex(error.message, /secrets\/bmc-9" is not there, or you may not see it/);
  }
  const items = [{ providerId: 'host-1', provider: { spec: { agentPools: pools(mine) } } }];
  const { results } = await operator.batchUpsertProviders({
    parent: 'partitions/lab',
    items,
    updateMask: { paths: ['spec.agent_pools'] },
    requestId: newId(),
  });
  t.regex(results[0]?.error?.message ?? '', /you may not see it/);
  // Agents of other roles read nothing, nor does a pool that lost some.
  await t.notThrowsAsync(change(operator, [...pools(ours), { role: 'vm', agents: [mine] }]));
  await t.notThrowsAsync(change(providers, pools(ours, mine)));
  await t.notThrowsAsync(change(operator, pools('partitions/LAB/agents/BMC-1')));
});

test('providers of partitions without a grant are not there', async (t) => {
  const { fixture, providers } = await start(t);
  await makePartition(fixture, 'other');
  const mine = await makeProvider(fixture, 'host-1');
  const { provider: theirs } = await providers.createProvider({
    parent: 'partitions/other',
    providerId: 'host-1',
    provider: vmHost(),
    requestId: newId(),
  });
  const operator = createClient(ProviderService, fixture.asPerson('lab-operator'));
  const all = await operator.listProviders({ parent: 'partitions/-' });
  t.deepEqual(
    all.providers.map(({ uid }) => uid),
    [mine.uid],
  );
  const name = theirs?.name ?? '';
  await refused(t, operator.getProvider({ name }), foreign);
  await refused(
    t,
    operator.getProvider({ name: `partitions/lab/providers/${theirs?.uid}` }),
    foreign,
  );
  await refused(t, operator.deleteProvider({ name }), foreign);
  await refused(t, operator.listProviders({ parent: 'partitions/other' }), foreign);
  for (const token of ['red-member', 'lab-red-member']) {
    const member = createClient(ProviderService, fixture.asPerson(token));
    t.deepEqual((await member.listProviders({ parent: 'partitions/-' })).providers, []);
  }
  const reader = createClient(ProviderService, fixture.asPerson('lab-reader'));
  await refused(t, reader.deleteProvider({ name: mine.name }), denied);
});

test('providers are listed by pages in the order of partitions and names', async (t) => {
  const { fixture, providers } = await start(t);
  await makePartition(fixture, 'Area');
  for (const providerId of ['c', 'B', 'a']) await makeProvider(fixture, providerId);
  for (const providerId of ['z', 'y']) {
    await providers.createProvider({
      parent: 'partitions/area',
      providerId,
      provider: vmHost(),
      requestId: newId(),
    });
  }
  const names: string[] = [];
  let pageToken = '';
  do {
    const page = await providers.listProviders({ parent: 'partitions/-', pageSize: 2, pageToken });
    names.push(...page.providers.map(({ name }) => name.slice('partitions/'.length)));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  t.deepEqual(names, [
    'Area/providers/y',
    'Area/providers/z',
    'lab/providers/a',
    'lab/providers/B',
    'lab/providers/c',
  ]);
  const first = await providers.listProviders({ parent: 'partitions/lab', pageSize: 1 });
  const mixed = providers.listProviders({
    parent: 'partitions/area',
    pageSize: 1,
    pageToken: first.nextPageToken,
  });
  await refused(t, mixed, { kind: 'invalid_argument', reason: 'PAGE_TOKEN_MISMATCH' });
  await refused(t, providers.listProviders({ parent: 'partitions/nowhere' }), foreign);
});

test('a page ends at a megabyte whatever its size may be', async (t) => {
  const { fixture, providers } = await start(t);
  const texts = Array.from({ length: 64 }, (_, key) => [`k${key}`, 'x'.repeat(4000)] as const);
  const properties = Object.fromEntries(
    texts.map(([key, value]) => [
      key,
      create(PropertyValueSchema, { kind: { case: 'stringValue', value } }),
    ]),
  );
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
    await makeProvider(fixture, id, { ...vmHost(), properties });
  }
  const first = await providers.listProviders({ parent: 'partitions/lab', pageSize: 100 });
  t.true(first.providers.length >= 3 && first.providers.length < 6);
  t.not(first.nextPageToken, '');
  const rest = await providers.listProviders({
    parent: 'partitions/lab',
    pageSize: 100,
    pageToken: first.nextPageToken,
  });
  t.is(first.providers.length + rest.providers.length, 6);
});
