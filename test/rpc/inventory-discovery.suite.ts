/** What scans find, until an operator makes providers of it; on whichever database. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import {
  DiscoveryState,
  type FoundServerSchema,
} from '../../gen/runmachine/inventory/v1/discovery_pb.ts';
import { DiscoveryService } from '../../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { BmcType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { refused } from '../support/rpc-errors.ts';
import { makeProvider, newId } from './inventory-fixture.ts';
import { type InventorySubject, startLab } from './inventory-places.suite.ts';

const LAB = 'partitions/lab';
const PIN = 'ab'.repeat(32);
const { PROPOSED, ACCEPTED, REJECTED } = DiscoveryState;
const foreign = { kind: 'not_found', reason: 'NOT_FOUND' } as const;
const denied = { kind: 'permission_denied', reason: 'NOT_ALLOWED' } as const;
const wrongState = { kind: 'failed_precondition', reason: 'INVALID_STATE' } as const;

type Found = Exclude<MessageInitShape<typeof FoundServerSchema>, { readonly $typeName: string }>;

const found = (n: number, more: Found = {}): Found => ({
  type: BmcType.REDFISH,
  address: `https://10.0.0.${n}:8443`,
  certificateSha256: PIN,
  secret: 'projects/ops/secrets/scan',
  agents: [`${LAB}/agents/a1`],
  facts: {
    serialNumber: `SN${n}`,
    vendor: 'Acme',
    nics: [{ label: 'eth0', mac: `02:00:00:00:00:0${n}` }],
  },
  ...more,
});

const startScan = async (...args: Parameters<typeof startLab>) => {
  const lab = await startLab(...args);
  const client = (transport: typeof lab.fixture.admin) => createClient(DiscoveryService, transport);
  const services = client(lab.fixture.asService('machine'));
  const record = (all: Found[], atMs = 1_000) =>
    services.recordDiscoveries({ parent: LAB, found: all, observeTime: timestampFromMs(atMs) });
  return { ...lab, client, record, discoveries: client(lab.fixture.admin) };
};

export const inventoryDiscoverySuite = (subject: InventorySubject): void => {
  const { test } = subject;

  test('what a scan finds is proposed once, and brought up to date by later scans', async (t) => {
    const { record, discoveries } = await startScan(t, subject);
    const first = await record([found(1), found(2), found(1, { address: '10.0.0.1:8443/' })]);
    t.is(first.created, 2);
    t.deepEqual(first.names, [
      `${LAB}/discoveries/10.0.0.1-8443`,
      `${LAB}/discoveries/10.0.0.2-8443`,
      `${LAB}/discoveries/10.0.0.1-8443`,
    ]);
    await record([found(1, { facts: { vendor: 'Other' } })], 2_000);
    await record([found(1, { facts: { vendor: 'Late' } })], 1_500);
    const name = first.names[0] ?? '';
    const { discovery } = await discoveries.getDiscovery({ name });
    t.is(discovery?.found?.facts?.vendor, 'Other');
    t.is(discovery?.state, PROPOSED);
    t.is(discovery?.createTime?.seconds, 1n);
    t.is(discovery?.updateTime?.seconds, 2n);
    const page = await discoveries.listDiscoveries({ parent: LAB, pageSize: 1 });
    t.is(page.discoveries.length, 1);
    const rest = await discoveries.listDiscoveries({
      parent: LAB,
      pageSize: 1,
      pageToken: page.nextPageToken,
    });
    t.is(rest.discoveries[0]?.name, first.names[1]);
    t.is(rest.nextPageToken, '');
  });

  test('an accepted one is a provider with controller, NICs and what was seen', async (t) => {
    const { record, discoveries, providers } = await startScan(t, subject);
    const [name = ''] = (await record([found(1)])).names;
    const request = { name, providerId: 'r1u1', secret: 'projects/ops/secrets/r1' };
    const preview = await discoveries.acceptDiscovery({
      ...request,
      requestId: newId(),
      validateOnly: true,
    });
    t.is(preview.provider?.name, `${LAB}/providers/r1u1`);
    t.is((await discoveries.getDiscovery({ name })).discovery?.state, PROPOSED);
    const requestId = newId();
    const made = await discoveries.acceptDiscovery({ ...request, requestId });
    t.deepEqual(await discoveries.acceptDiscovery({ ...request, requestId }), made);
    t.is(made.discovery?.state, ACCEPTED);
    t.is(made.discovery?.provider, `${LAB}/providers/r1u1`);
    t.deepEqual(made.discovery?.conflicts, []);
    const { provider } = await providers.getProvider({ name: `${LAB}/providers/r1u1` });
    t.is(provider?.spec?.type, ProviderType.BARE_METAL);
    t.like(provider?.spec?.bmc, {
      type: BmcType.REDFISH,
      address: 'https://10.0.0.1:8443',
      secret: 'projects/ops/secrets/r1',
      certificateSha256: PIN,
    });
    t.is(provider?.spec?.nics[0]?.mac, '02:00:00:00:00:01');
    t.deepEqual(provider?.spec?.agentPools[0]?.agents, [`${LAB}/agents/a1`]);
    t.is(provider?.spec?.inventories[0]?.resourceType, 'runm.machine.whole');
    t.is(provider?.status?.observedFacts?.serialNumber, 'SN1');
    const again = { ...request, providerId: 'r1u2', requestId: newId() };
    await refused(t, discoveries.acceptDiscovery(again), wrongState);
    await refused(t, discoveries.rejectDiscovery({ name }), wrongState);
    await providers.deleteProvider({ name: `${LAB}/providers/r1u1` });
    await t.notThrowsAsync(discoveries.acceptDiscovery({ ...again, requestId: newId() }));
  });

  test('what a provider has already is named, and is not accepted a second time', async (t) => {
    const { record, discoveries, fixture, providers } = await startScan(t, subject);
    await makeProvider(fixture, 'known', {
      spec: { type: ProviderType.BARE_METAL, facts: { serialNumber: 'sn1' } },
    });
    const [name = ''] = (await record([found(1)])).names;
    const { discovery } = await discoveries.getDiscovery({ name });
    t.deepEqual(
      discovery?.conflicts.map(({ field, value, holder }) => [field, value, holder]),
      [['serial_number', 'SN1', `${LAB}/providers/known`]],
    );
    const accept = discoveries.acceptDiscovery({ name, providerId: 'r1', requestId: newId() });
    const error = await refused(t, accept, { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
    t.is(error.metadata.holder, `${LAB}/providers/known`);
    t.is((await providers.listProviders({ parent: LAB })).providers.length, 1);
    t.is((await discoveries.getDiscovery({ name })).discovery?.state, PROPOSED);
  });

  test('a controller that a provider has already is named, also where it lets nobody in', async (t) => {
    const { record, discoveries, fixture } = await startScan(t, subject);
    await makeProvider(fixture, 'known', {
      spec: {
        type: ProviderType.BARE_METAL,
        bmc: { type: BmcType.REDFISH, address: '10.0.0.9:8443' },
      },
    });
    const { names } = await record([
      { type: BmcType.REDFISH, address: 'https://10.0.0.9:8443/', problem: 'wrong password' },
      found(1),
    ]);
    const { discoveries: both } = await discoveries.listDiscoveries({ parent: LAB });
    const conflicts = new Map(both.map((one) => [one.name, one.conflicts]));
    t.like(conflicts.get(names[0] ?? '')?.[0], {
      field: 'address',
      holder: `${LAB}/providers/known`,
    });
    t.deepEqual(conflicts.get(names[1] ?? ''), []);
  });

  test('what is another provider’s by its address is told, and not accepted', async (t) => {
    const { record, discoveries, fixture } = await startScan(t, subject);
    const bmc = { type: BmcType.IPMI, address: '10.0.0.9:623' };
    const type = ProviderType.BARE_METAL;
    await makeProvider(fixture, 'known', { spec: { type, bmc } });
    const [name = ''] = (await record([{ type: BmcType.REDFISH, address: 'https://10.0.0.9' }]))
      .names;
    const { discovery } = await discoveries.getDiscovery({ name });
    t.like(discovery?.conflicts[0], { field: 'address', holder: `${LAB}/providers/known` });
    const accept = discoveries.acceptDiscovery({ name, providerId: 'r1', requestId: newId() });
    const error = await refused(t, accept, { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
    t.is(error.metadata.holder, `${LAB}/providers/known`);
    t.is((await discoveries.getDiscovery({ name })).discovery?.state, PROPOSED);
  });

  test('a controller at which nodes name their systems is theirs', async (t) => {
    const { record, discoveries, fixture } = await startScan(t, subject);
    const bmc = { type: BmcType.REDFISH, address: 'https://10.0.0.9/redfish/v1/Systems/1' };
    await makeProvider(fixture, 'node', { spec: { type: ProviderType.BARE_METAL, bmc } });
    const [name = ''] = (await record([{ type: BmcType.REDFISH, address: '10.0.0.9:443' }])).names;
    const { discovery } = await discoveries.getDiscovery({ name });
    t.like(discovery?.conflicts[0], { field: 'address', holder: `${LAB}/providers/node` });
    const accept = discoveries.acceptDiscovery({ name, providerId: 'r1', requestId: newId() });
    const error = await refused(t, accept, { kind: 'already_exists', reason: 'ALREADY_EXISTS' });
    t.like(error.metadata, { holder: `${LAB}/providers/node`, field: 'spec.bmc.address' });
  });

  test('a rejected one stays so through later scans, and may still be accepted', async (t) => {
    const { record, discoveries } = await startScan(t, subject);
    const [name = ''] = (await record([found(1)])).names;
    const { discovery } = await discoveries.getDiscovery({ name });
    const stale = discoveries.rejectDiscovery({ name, etag: 'other' });
    await refused(t, stale, { kind: 'aborted', reason: 'ETAG_MISMATCH' });
    await discoveries.rejectDiscovery({ name, reason: 'a printer', etag: discovery?.etag ?? '' });
    t.is((await record([found(1)], 2_000)).created, 0);
    const after = (await discoveries.getDiscovery({ name })).discovery;
    t.is(after?.state, REJECTED);
    t.is(after?.reason, 'a printer');
    const only = async (state: DiscoveryState) =>
      (await discoveries.listDiscoveries({ parent: LAB, state })).discoveries.length;
    t.deepEqual([await only(REJECTED), await only(PROPOSED)], [1, 0]);
    await discoveries.acceptDiscovery({ name, providerId: 'r1', requestId: newId() });
    t.is(await only(ACCEPTED), 1);
  });

  test('one is forgotten, whatever became of it, and found anew by the next scan', async (t) => {
    const { record, discoveries, providers, client, fixture } = await startScan(t, subject);
    const [name = '', other = ''] = (await record([found(1), found(2)])).names;
    const stale = discoveries.deleteDiscovery({ name, etag: 'other' });
    await refused(t, stale, { kind: 'aborted', reason: 'ETAG_MISMATCH' });
    await discoveries.acceptDiscovery({ name, providerId: 'r1', requestId: newId() });
    await discoveries.rejectDiscovery({ name: other });
    const reader = client(fixture.asPerson('lab-reader'));
    await refused(t, reader.deleteDiscovery({ name }), denied);
    const requestId = newId();
    await discoveries.deleteDiscovery({ name, requestId });
    await t.notThrowsAsync(discoveries.deleteDiscovery({ name, requestId }), 'it is a repeat');
    await discoveries.deleteDiscovery({ name: other });
    t.deepEqual((await discoveries.listDiscoveries({ parent: LAB })).discoveries, []);
    t.is((await providers.getProvider({ name: `${LAB}/providers/r1` })).provider?.uid.length, 36);
    await refused(t, discoveries.deleteDiscovery({ name }), foreign);
    await t.notThrowsAsync(discoveries.deleteDiscovery({ name, allowMissing: true }));
    t.is((await record([found(1), found(2)], 2_000)).created, 2);
    const { discovery } = await discoveries.getDiscovery({ name });
    t.is(discovery?.state, PROPOSED);
    t.is(discovery?.conflicts[0]?.holder, `${LAB}/providers/r1`);
  });

  test('strangers and readers see no discovery, and only services record them', async (t) => {
    const { record, client, fixture, discoveries } = await startScan(t, subject);
    const [name = ''] = (await record([found(1)])).names;
    for (const [who, how] of [
      ['lab-reader', denied],
      ['reader', denied],
      ['lab-red-member', denied],
      ['red-member', foreign],
    ] as const) {
      const stranger = client(fixture.asPerson(who));
      await refused(t, stranger.getDiscovery({ name }), how);
      await refused(t, stranger.listDiscoveries({ parent: LAB }), how);
    }
    await refused(
      t,
      discoveries.recordDiscoveries({
        parent: LAB,
        found: [found(2)],
        observeTime: timestampFromMs(1_000),
      }),
      denied,
    );
    const operator = client(fixture.asPerson('lab-operator'));
    t.is((await operator.listDiscoveries({ parent: 'partitions/-' })).discoveries.length, 1);
    const elsewhere = { name: 'partitions/else/discoveries/x' };
    await refused(t, operator.getDiscovery(elsewhere), foreign);
  });

  test('a partition without providers is deleted with what scans found there', async (t) => {
    const { record, fixture, discoveries } = await startScan(t, subject);
    await record([found(1)]);
    await createClient(PartitionService, fixture.admin).deletePartition({ name: LAB });
    await refused(t, discoveries.listDiscoveries({ parent: LAB }), foreign);
    t.is((await discoveries.listDiscoveries({ parent: 'partitions/-' })).discoveries.length, 0);
  });
};
