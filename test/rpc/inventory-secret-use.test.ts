/**
 * Every way to a provider whose controller's secret is read by an agent, or sent to a place, that
 * the caller chose: none is open to who may not see that secret.
 */
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createClient, type Transport } from '@connectrpc/connect';
import test, { type ExecutionContext } from 'ava';
import { DiscoveryService } from '../../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import { BmcType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import { makePartition, makeProvider, newId, startInventory, vmHost } from './inventory-fixture.ts';

const LAB = 'partitions/lab';
const SECRET = 'projects/ops/secrets/bmc-9';
const [OURS, MINE] = [`${LAB}/agents/bmc-1`, `${LAB}/agents/mine`];
const PIN = 'ab'.repeat(32);
const BMC = {
  type: BmcType.REDFISH,
  address: 'https://10.0.0.9',
  secret: SECRET,
  certificateSha256: PIN,
};
const pools = (...agents: string[]) => [{ role: 'bmc', agents }];

type Way = (as: { readonly transport: Transport; readonly name: string }) => Promise<unknown>;

const update =
  (spec: object, ...paths: string[]): Way =>
  ({ transport, name }) =>
    createClient(ProviderService, transport).updateProvider({
      provider: { name, spec },
      updateMask: { paths },
      requestId: newId(),
    });

/** A batch answers for each of its items. */
const upsert =
  (providerId: string, spec: object, more: object = {}): Way =>
  async ({ transport }) => {
    const items = [{ providerId, provider: { spec } }];
    const asked = { parent: LAB, items, requestId: newId(), ...more };
    const { results } = await createClient(ProviderService, transport).batchUpsertProviders(asked);
    throw new Error(results[0]?.error?.message ?? 'It was written');
  };

const made =
  (spec: object, more: object = {}): Way =>
  ({ transport }) =>
    createClient(ProviderService, transport).createProvider({
      parent: LAB,
      providerId: 'new',
      provider: vmHost(spec),
      requestId: newId(),
      ...more,
    });

const accepted =
  (more: object): Way =>
  ({ transport }) =>
    createClient(DiscoveryService, transport).acceptDiscovery({
      name: `${LAB}/discoveries/10.0.0.7`,
      providerId: 'new',
      requestId: newId(),
      ...more,
    });

const whole = (spec: object) => vmHost({ bmc: BMC, agentPools: pools(OURS), ...spec }).spec ?? {};
const elsewhere = { ...BMC, address: 'https://10.6.6.6' };
const masked = (path: string) => ({ updateMask: { paths: [path] } });

const WAYS: readonly (readonly [string, Way])[] = [
  ['a new provider', made({ bmc: BMC })],
  ['a new provider that is only tried', made({ bmc: BMC }, { validateOnly: true })],
  ['another address', update({ bmc: elsewhere }, 'spec.bmc')],
  ['the address alone', update({ bmc: { address: '10.6.6.6' } }, 'spec.bmc.address')],
  ['another address for IPMI', update({ bmc: { ipmiAddress: 'x' } }, 'spec.bmc.ipmi_address')],
  ['another protocol', update({ bmc: { type: BmcType.IPMI } }, 'spec.bmc.type')],
  ['no certificate', update({ bmc: {} }, 'spec.bmc.certificate_sha256')],
  ['the secret alone', update({ bmc: { secret: `${SECRET}0` } }, 'spec.bmc.secret')],
  ['another agent', update({ agentPools: pools(MINE) }, 'spec.agent_pools')],
  ['one more agent', update({ agentPools: pools(OURS, MINE) }, 'spec.agent_pools')],
  [
    'an agent and the address together',
    update({ bmc: elsewhere, agentPools: pools(MINE) }, 'spec.bmc', 'spec.agent_pools'),
  ],
  [
    'a part of another whole',
    update(
      { bmc: elsewhere, parentProvider: `${LAB}/providers/chassis` },
      'spec.parent_provider',
      'spec.bmc',
    ),
  ],
  ['an import of a new one', upsert('new', whole({}))],
  ['an import of one that is deleted', upsert('gone', whole({}))],
  ['an import elsewhere', upsert('host-1', whole({ bmc: elsewhere }))],
  ['an import for an agent', upsert('host-1', whole({ agentPools: pools(MINE) }))],
  [
    'an import of the agents alone',
    upsert('host-1', { agentPools: pools(MINE) }, masked('spec.agent_pools')),
  ],
  [
    'an import of the address alone',
    upsert('host-1', { bmc: { address: 'x' } }, masked('spec.bmc.address')),
  ],
  ['an import that is tried', upsert('new', whole({}), { validateOnly: true })],
  [
    'an import that the scheduler decides',
    upsert('host-1', whole({ bmc: elsewhere, inventories: [] })),
  ],
  ['a discovery with the secret of its scan', accepted({})],
  ['a discovery with a secret that is named', accepted({ secret: `${SECRET}0` })],
  ['a discovery that is only tried', accepted({ validateOnly: true })],
];

const start = async (t: ExecutionContext) => {
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  const { name } = await makeProvider(fixture, 'host-1', {
    spec: whole({}),
  });
  await makeProvider(fixture, 'chassis', vmHost({}));
  const providers = createClient(ProviderService, fixture.admin);
  await makeProvider(fixture, 'gone', { spec: whole({ bmc: { ...BMC, address: '10.0.0.8' } }) });
  await providers.deleteProvider({ name: `${LAB}/providers/gone` });
  const scan = (found: object, atMs: number) =>
    createClient(DiscoveryService, fixture.asService('machine')).recordDiscoveries({
      parent: LAB,
      found: [{ type: BmcType.REDFISH, address: '10.0.0.7', ...found }],
      observeTime: timestampFromMs(atMs),
    });
  await scan({ secret: SECRET, agents: [OURS], facts: { serialNumber: 'SN7' } }, 1_000);
  return { fixture, name, providers, scan, operator: fixture.asPerson('lab-operator') };
};

test('who may not see a secret has it neither read nor sent in any way', async (t) => {
  const { operator, name, providers } = await start(t);
  const { providers: before } = await providers.listProviders({ parent: LAB });
  for (const [way, go] of WAYS) {
    const error = await t.throwsAsync(go({ transport: operator, name }), undefined, way);
    t.regex(error.message, /secrets\/bmc-90?" is not there, or you may not see it/, way);
    t.deepEqual((await providers.listProviders({ parent: LAB })).providers, before, way);
  }
});

test('what leaves a secret where it is needs no sight of it', async (t) => {
  const { operator, name, providers } = await start(t);
  const as = { transport: operator, name };
  await update({ agentPools: pools(OURS), bmc: BMC }, 'spec.bmc', 'spec.agent_pools')(as);
  await update({ parentProvider: `${LAB}/providers/chassis` }, 'spec.parent_provider')(as);
  const tagged = { providerId: 'host-1', provider: { spec: whole({}), tags: ['t'] } };
  const again = { parent: LAB, items: [tagged], requestId: newId(), ...masked('tags') };
  const { results } = await createClient(ProviderService, operator).batchUpsertProviders(again);
  t.is(results[0]?.error, undefined);
  const { provider } = await providers.getProvider({ name });
  t.deepEqual(provider?.tags, ['t']);
  t.is(provider?.spec?.bmc?.secret, SECRET);
});

test('a scan without the secret gives what was found with it to no other agent', async (t) => {
  const { fixture, scan } = await start(t);
  await scan({ agents: [MINE], certificateSha256: 'cd'.repeat(32), problem: 'no word' }, 2_000);
  const discoveries = createClient(DiscoveryService, fixture.admin);
  const name = `${LAB}/discoveries/10.0.0.7`;
  const { discovery } = await discoveries.getDiscovery({ name });
  t.like(discovery?.found, { secret: SECRET, certificateSha256: '', problem: 'no word' });
  t.deepEqual(discovery?.found?.agents, [OURS]);
  t.is(discovery?.updateTime?.seconds, 2n);
  const asked = { name, providerId: 'new', requestId: newId() };
  const { provider } = await discoveries.acceptDiscovery(asked);
  t.deepEqual(provider?.spec?.agentPools[0]?.agents, [OURS]);
  // With a secret of his own whoever scans finds it anew.
  const own = { secret: 'projects/red/secrets/own', agents: [MINE] };
  await scan({ ...own, facts: { serialNumber: 'SN7' } }, 3_000);
  t.like((await discoveries.getDiscovery({ name })).discovery?.found, own);
  const member = createClient(DiscoveryService, fixture.asPerson('lab-reader'));
  await refused(t, member.getDiscovery({ name }), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
});
