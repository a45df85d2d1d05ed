/** What an installation of 0.1.0 wrote is found by what is searched now. */
import { createClient } from '@connectrpc/connect';
import { ProviderGroupService } from '../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { BmcType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { inventoryMigrations } from '../../services/inventory/store/migrations.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { openSql } from '../../services/store/sql/open.ts';
import { refused } from '../support/rpc-errors.ts';
import { shiftedClock } from '../support/shifted-clock.ts';
import { silentLog } from '../support/silent-log.ts';
import { makeGroup, makeProvider, startInventory } from './inventory-fixture.ts';
import type { InventorySubject } from './inventory-places.suite.ts';

const LAB = 'partitions/lab';

type OldTables = {
  readonly partition_row: Record<string, unknown>;
  readonly provider: Record<string, unknown>;
};

const head = (id: string, doc: unknown) => ({
  uid: systemRandom.uid(),
  name_id: id,
  id_key: id.toLowerCase(),
  version: 1,
  create_ms: 1,
  update_ms: 1,
  doc: JSON.stringify(doc),
});

const writeOld = async (url: string, groups: readonly string[] = ['Rack-1']): Promise<void> => {
  const store = await openSql({
    service: 'inventory',
    url,
    entities: [],
    migrations: inventoryMigrations.filter(({ name }) => name === '0001-inventory'),
    clock: shiftedClock(),
    random: systemRandom,
    log: silentLog,
  });
  const provider = (id: string, parentUid: string, doc: unknown) => ({
    ...head(id, doc),
    partition_id: 'lab',
    partition_key: 'lab',
    generation: 1,
    parent_uid: parentUid,
    reserved_generation: 1,
    reserve_holder: '',
    reserve_ms: 0,
  });
  const spec = {
    type: 'PROVIDER_TYPE_BARE_METAL',
    capabilities: ['vm.qemu'],
    groups,
    inventories: [{ resourceType: 'runm.memory', total: '5' }],
  };
  const root = provider('root', '', { spec, tags: ['old'] });
  const device = {
    type: 'PROVIDER_TYPE_DEVICE',
    facts: { serialNumber: 'SN1' },
    bmc: { type: 'BMC_TYPE_REDFISH', address: 'https://10.0.0.1/redfish/v1/Systems/1' },
  };
  const nics = [{ label: 'eth0', mac: '02:00:00:00:00:01' }];
  const middle = provider('middle', root.uid, { spec: { ...device, nics } });
  const leaf = provider('leaf', middle.uid, { spec: device });
  const actor = { principal: 'services/inventory', requestId: systemRandom.requestId() };
  await store.transaction(undefined, actor, async (tx) => {
    const db = tx.kysely<OldTables>();
    await db.insertInto('partition_row').values(head('lab', {})).execute();
    await db.insertInto('provider').values([root, middle, leaf]).execute();
  });
  await store.close();
};

export const inventoryUpgradeSuite = (
  { test }: InventorySubject,
  createUrl: () => Promise<string>,
): void => {
  test('what 0.1.0 wrote is found by what is searched now', async (t) => {
    const url = await createUrl();
    await writeOld(url);
    const fixture = await startInventory(t, { url });
    const providers = createClient(ProviderService, fixture.admin);
    const named = async (filter: Parameters<typeof providers.listProviders>[0]['filter']) => {
      const { providers: found } = await providers.listProviders({ parent: LAB, filter });
      return found.map(({ name }) => name.slice(`${LAB}/providers/`.length));
    };
    t.deepEqual(await named({ inTree: 'leaf' }), ['leaf', 'middle', 'root']);
    t.deepEqual(await named({ capability: 'vm.qemu' }), ['root']);
    t.deepEqual(await named({ resourceType: 'runm.memory', tag: 'old' }), ['root']);
    const { provider } = await providers.getProvider({ name: `${LAB}/providers/leaf` });
    t.not(provider?.status?.rootUid, provider?.uid);
    t.deepEqual(await named({ group: 'rack-1' }), [], 'it was only a word');
    const tagged = await providers.updateProvider({
      provider: { name: `${LAB}/providers/root`, tags: ['old', 'new'] },
      updateMask: { paths: ['tags'] },
    });
    t.deepEqual(tagged.provider?.spec?.groups, ['Rack-1'], 'and may stay');
    await makeGroup(fixture, 'RACK-1');
    t.deepEqual(await named({ group: 'rack-1' }), ['root']);
    const groups = createClient(ProviderGroupService, fixture.admin);
    const { group } = await groups.getProviderGroup({ name: `${LAB}/groups/rack-1` });
    t.is(group?.status?.members, 1);
  });
  test('addresses and serial numbers that 0.1.0 wrote are taken', async (t) => {
    const url = await createUrl();
    await writeOld(url);
    const fixture = await startInventory(t, { url });
    const taken = { kind: 'already_exists', reason: 'ALREADY_EXISTS' } as const;
    const { BARE_METAL: type } = ProviderType;
    const nics = [{ label: 'eth0', mac: '02:00:00:00:00:01' }];
    const byMac = makeProvider(fixture, 'new', { spec: { type, nics } });
    t.is((await refused(t, byMac, taken)).metadata.holder, `${LAB}/providers/middle`);
    const facts = { serialNumber: 'sn1' };
    const bySerial = makeProvider(fixture, 'new', { spec: { type, facts } });
    t.is((await refused(t, bySerial, taken)).metadata.holder, `${LAB}/providers/middle`);
    const bmc = { type: BmcType.REDFISH, address: '10.0.0.1' };
    const byController = makeProvider(fixture, 'new', { spec: { type, bmc } });
    t.is((await refused(t, byController, taken)).metadata.holder, `${LAB}/providers/middle`);
    const providers = createClient(ProviderService, fixture.admin);
    const again = providers.updateProvider({
      provider: { name: `${LAB}/providers/leaf`, tags: ['new'] },
      updateMask: { paths: ['tags'] },
    });
    t.is((await refused(t, again, taken)).metadata.holder, `${LAB}/providers/middle`);
  });
  test('a group that 0.1.0 spelled in two ways is one group', async (t) => {
    const url = await createUrl();
    await writeOld(url, ['Rack-1', 'row-2', 'rack-1', 'RACK-1']);
    const fixture = await startInventory(t, { url });
    const providers = createClient(ProviderService, fixture.admin);
    const name = `${LAB}/providers/root`;
    const { provider } = await providers.getProvider({ name });
    t.deepEqual(provider?.spec?.groups, ['Rack-1', 'row-2']);
    const tagged = await providers.updateProvider({
      provider: { name, tags: ['new'] },
      updateMask: { paths: ['tags'] },
    });
    t.deepEqual(tagged.provider?.tags, ['new']);
    t.deepEqual(tagged.provider?.spec, provider?.spec);
    await makeGroup(fixture, 'RACK-1');
    const { providers: members } = await providers.listProviders({
      parent: LAB,
      filter: { group: 'rack-1' },
    });
    t.deepEqual(
      members.map((one) => one.name),
      [name],
    );
  });
};
