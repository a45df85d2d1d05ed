/** `runm provider import` and `export` on a real inventory. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { GroupKind } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import { CapabilityService } from '../../gen/runmachine/inventory/v1/capability_service_pb.ts';
import { DistanceTypeService } from '../../gen/runmachine/inventory/v1/distance_type_service_pb.ts';
import { ProviderGroupService } from '../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { BmcType, NicType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  ProviderService,
  UpsertOutcome,
} from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ResourceTypeService } from '../../gen/runmachine/inventory/v1/resource_type_service_pb.ts';
import { exportProviders } from '../../services/cli/commands/provider/export.ts';
import { importProviders } from '../../services/cli/commands/provider/import.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { callCommand } from '../unit/cli/call-command.ts';
import {
  type InventoryFixture,
  makeGroup,
  makePartition,
  makeProvider,
  newId,
  startInventory,
} from './inventory-fixture.ts';

const LAB = 'partitions/lab';

const makeDistanceType = ({ admin }: InventoryFixture) =>
  createClient(DistanceTypeService, admin).createDistanceType({
    distanceTypeId: 'fabric',
    distanceType: {
      spec: {
        steps: [
          { code: 'near', position: 1 },
          { code: 'far', position: 2 },
        ],
      },
    },
    requestId: newId(),
  });

/** One of everything that a file can hold. */
const furnish = async (fixture: InventoryFixture) => {
  const { admin } = fixture;
  await createClient(CapabilityService, admin).createCapability({
    capabilityId: 'cooling.water',
    capability: { spec: { description: 'Cooled by water' } },
    requestId: newId(),
  });
  await createClient(ResourceTypeService, admin).createResourceType({
    resourceTypeId: 'gpu.a100',
    resourceType: { spec: { unit: 'count', description: 'GPUs' } },
    requestId: newId(),
  });
  await makeGroup(fixture, 'z-row', { kind: GroupKind.ROW });
  await makeGroup(fixture, 'a-rack', {
    parentGroup: 'z-row',
    distances: [{ type: 'fabric', group: 'z-row', step: 'near' }],
  });
  const pool = await makeProvider(fixture, 'z-pool', { spec: { type: ProviderType.STORAGE_POOL } });
  await makeGroup(fixture, 'b-shares', {
    kind: GroupKind.AGGREGATE,
    sharedProviders: [pool.uid],
    distances: [{ type: 'fabric', group: 'z-row', step: 'far' }],
  });
  await makeProvider(fixture, 'z-server', {
    tags: ['one', 'two'],
    properties: {
      'warranty-days': { kind: { case: 'integerValue', value: 12n } },
      load: { kind: { case: 'numberValue', value: 0.5 } },
      feeds: { kind: { case: 'stringList', value: { values: ['a', 'b'] } } },
    },
    spec: {
      type: ProviderType.BARE_METAL,
      groups: ['a-rack', 'z-row'],
      capabilities: ['cooling.water', 'bmc.redfish'],
      inventories: [
        { resourceType: 'runm.machine.whole', total: 1n },
        { resourceType: 'gpu.a100', total: 8n, reserved: 1n, allocationRatioMilli: 1500 },
      ],
      nics: [{ label: 'eth0', mac: '02:00:00:00:00:01', primary: true, speedBitsPerSecond: 10n }],
      bmc: {
        type: BmcType.REDFISH,
        address: 'https://10.0.0.1',
        secret: 'projects/ops/secrets/bmc',
        certificateSha256: 'ab'.repeat(32),
      },
      agentPools: [{ role: 'bmc', agents: [`${LAB}/agents/one`] }],
      facts: { serialNumber: 'SN1', vendor: 'Acme' },
      distances: [{ type: 'fabric', group: 'z-row', step: 'near' }],
      location: { rack: 'a-rack', position: 3, height: 2, note: 'left: "door"' },
    },
  });
  const part = (parent: string) => ({
    spec: { type: ProviderType.DEVICE, parentProvider: `${LAB}/providers/${parent}` },
  });
  await makeProvider(fixture, 'm-board', part('z-server'));
  await makeProvider(fixture, 'a-gpu', part('m-board'));
};

/** What operators declared there, without what every installation numbers for itself. */
const declaredIn = async ({ admin }: InventoryFixture) => {
  const page = { parent: LAB, pageSize: 1000 };
  const { providers } = await createClient(ProviderService, admin).listProviders(page);
  const { groups } = await createClient(ProviderGroupService, admin).listProviderGroups(page);
  const names = new Map(providers.map(({ uid, name }) => [uid, name]));
  return {
    providers: providers.map(({ name, spec, tags, properties }) => ({
      name,
      spec,
      tags,
      properties,
    })),
    groups: groups.map(({ name, spec, tags, properties }) => ({
      name,
      tags,
      properties,
      spec: { ...spec, sharedProviders: spec?.sharedProviders.map((uid) => names.get(uid)) },
    })),
  };
};

test('an export as CSV imports to the same, and runs in no spreadsheet', async (t) => {
  using dir = temporaryDir();
  const here = await startInventory(t);
  await makePartition(here, 'lab');
  await makeDistanceType(here);
  await furnish(here);
  const providers = createClient(ProviderService, here.admin);
  const sheet = await callCommand(exportProviders, ['--format', 'csv'], here.admin);
  t.is(sheet.code, 0, sheet.stderr);
  t.regex(sheet.stderr, /3 groups, 4 providers/);
  t.regex(sheet.stderr, /3 say more than its columns hold \(b-shares, a-rack, z-server\)/);
  await providers.deleteProvider({ name: `${LAB}/providers/a-gpu` });
  const plain = {
    tags: ['=cmd()', 'two'],
    properties: {
      slots: { kind: { case: 'stringValue' as const, value: '4' } },
      feeds: { kind: { case: 'stringList' as const, value: { values: ['a', 'b'] } } },
      note: { kind: { case: 'stringValue' as const, value: '+1 "two", three' } },
      below: { kind: { case: 'integerValue' as const, value: -3n } },
    },
    spec: {
      type: ProviderType.BARE_METAL,
      groups: ['a-rack', 'p-rack', 'z-row'],
      inventories: [{ resourceType: 'gpu.a100', total: 8n, reserved: 1n, maxUnit: 4n }],
      nics: [
        {
          ...{ label: 'eth0', mac: '02:00:00:00:00:09', type: NicType.PHYSICAL },
          ...{ primary: true, speedBitsPerSecond: 25_000_000_000n },
        },
        { label: 'bmc', mac: '02:00:00:00:00:0a', type: NicType.BMC },
      ],
      neverProvision: true,
      bmc: { type: BmcType.REDFISH, address: '10.0.0.2', secret: 'projects/ops/secrets/bmc' },
      agentPools: [{ role: 'bmc', agents: [`${LAB}/agents/one`] }],
      location: { rack: 'a-rack', position: 7, note: '@home' },
    },
  };
  const group = {
    tags: ['one'],
    properties: { power: { kind: { case: 'integerValue' as const, value: 5n } } },
    spec: { kind: GroupKind.RACK, parentGroup: 'z-row', description: '=the "last"' },
  };
  const groups = createClient(ProviderGroupService, here.admin);
  await groups.createProviderGroup({ parent: LAB, groupId: 'p-rack', group, requestId: newId() });
  const made = await makeProvider(here, 'plain', plain);
  const { stdout, stderr } = await callCommand(exportProviders, ['--format', 'csv'], here.admin);
  t.false(/plain|p-rack/.test(stderr), stderr);
  for (const cell of stdout.split(/[,\n]/)) t.false(/^"?[=+@]/.test(cell), cell);
  const file = join(dir.path, 'fleet.csv');
  const [head = '', ...rows] = stdout.split('\n');
  writeFileSync(file, [head, ...rows.filter((row) => /^(?:plain|p-rack),/.test(row))].join('\n'));
  await providers.deleteProvider({ name: made.name });
  const before = await groups.getProviderGroup({ name: `${LAB}/groups/p-rack` });
  await groups.deleteProviderGroup({ name: `${LAB}/groups/p-rack` });
  const again = await callCommand(importProviders, ['-f', file], here.admin);
  t.is(again.code, 0, again.stderr + again.stdout);
  const { provider } = await providers.getProvider({ name: made.name });
  t.deepEqual([provider?.tags, provider?.properties], [made.tags, made.properties]);
  t.deepEqual({ ...provider?.spec, inventories: [] }, { ...made.spec, inventories: [] });
  t.like(provider?.spec?.inventories[0], { total: 8n, reserved: 1n, maxUnit: 4n });
  const after = await groups.getProviderGroup({ name: `${LAB}/groups/p-rack` });
  const declared = ({ tags, properties, spec }: NonNullable<typeof after.group>) => ({
    ...{ tags, properties, spec },
  });
  t.deepEqual(after.group && declared(after.group), before.group && declared(before.group));
  // Of those that are there already nothing is lost that no column says.
  writeFileSync(file, 'name,group.kind,group.description\na-rack,rack,the first of its row');
  t.is((await callCommand(importProviders, ['-f', file], here.admin)).code, 0);
  const { group: rack } = await groups.getProviderGroup({ name: `${LAB}/groups/a-rack` });
  t.is(rack?.spec?.description, 'the first of its row');
  t.is(rack?.spec?.parentGroup, 'z-row');
  t.is(rack?.spec?.distances.length, 1);
});

for (const format of ['yaml', 'ndjson']) {
  test(`an export as ${format} imports to the same, and changes nothing here`, async (t) => {
    using dir = temporaryDir();
    const here = await startInventory(t);
    await makePartition(here, 'lab');
    await makeDistanceType(here);
    await furnish(here);
    const exported = await callCommand(exportProviders, ['--format', format], here.admin);
    t.is(exported.code, 0, exported.stderr);
    const file = join(dir.path, `fleet.${format}`);
    writeFileSync(file, exported.stdout);

    const again = await callCommand(importProviders, ['-f', file], here.admin);
    t.is(again.code, 0, again.stderr);
    t.regex(again.stderr, /^0 created, 0 updated, \d+ unchanged, 0 failed/);

    const there = await startInventory(t);
    await makePartition(there, 'lab');
    await makeDistanceType(there);
    const preview = await callCommand(importProviders, ['-f', file, '--dry-run'], there.admin);
    t.is(preview.code, 0, preview.stderr);
    t.regex(preview.stdout, /^\+ z-server$/m);
    t.deepEqual((await declaredIn(there)).providers, []);
    const first = await callCommand(importProviders, ['-f', file], there.admin);
    t.is(first.code, 0, first.stderr);
    t.deepEqual(await declaredIn(there), await declaredIn(here));
    const second = await callCommand(importProviders, ['-f', file], there.admin);
    t.regex(second.stderr, /^0 created, 0 updated, \d+ unchanged, 0 failed/);
    const exportedThere = await callCommand(exportProviders, ['--format', format], there.admin);
    t.is(exportedThere.stdout, exported.stdout);
  });
}

test('a dry run shows what would change, field by field', async (t) => {
  using dir = temporaryDir();
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  const file = join(dir.path, 'fleet.csv');
  writeFileSync(file, 'name,type,serial,bmc.address,bmc.type\nr1,metal,S1,10.0.0.1,ipmi\n');
  t.is((await callCommand(importProviders, ['-f', file], fixture.admin)).code, 0);
  writeFileSync(
    file,
    'name,type,serial,bmc.address,bmc.type\nr1,metal,S1,10.0.0.9,ipmi\nr2,metal,S2,10.0.0.2,ipmi\nr3,metal,S1,,\n',
  );
  const called = await callCommand(importProviders, ['-f', file, '--dry-run'], fixture.admin);
  t.is(called.code, 1);
  t.is(called.stdout, ['~ r1', '    spec.bmc.address: 10.0.0.1 → 10.0.0.9', '+ r2', ''].join('\n'));
  t.regex(called.stderr, /^line 4: r3: .*providers\/r1 has the serial number S1/m);
  t.regex(called.stderr, /1 would be created, 1 would be updated, 0 would be unchanged, 1 failed/);
});

test('a spreadsheet with one column of a part leaves the rest of that part alone', async (t) => {
  using dir = temporaryDir();
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  const file = join(dir.path, 'fleet.csv');
  const say = async (text: string): Promise<string> => {
    writeFileSync(file, text);
    const called = await callCommand(importProviders, ['-f', file, '--dry-run'], fixture.admin);
    t.is((await callCommand(importProviders, ['-f', file], fixture.admin)).code, 0);
    return called.stdout;
  };
  await say(
    'name,type,serial,bmc.address,bmc.type,bmc.secret,position\nr1,metal,S1,10.0.0.1,ipmi,old,3\n',
  );
  t.is(
    await say('name,bmc.secret,note,vendor\nr1,new,door,ACME\n'),
    [
      '~ r1',
      '    spec.bmc.secret: projects/red/secrets/old → projects/red/secrets/new',
      '    spec.facts.vendor: (nothing) → ACME',
      '    spec.location.note: (nothing) → door',
      '',
    ].join('\n'),
  );
  const { stdout } = await callCommand(exportProviders, ['--format', 'csv'], fixture.admin);
  for (const kept of ['10.0.0.1', 'ipmi', 'S1', ',3,']) t.true(stdout.includes(kept), stdout);
});

test('a new certificate is recorded by a column, and an empty cell keeps the pinned one', async (t) => {
  using dir = temporaryDir();
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  const file = join(dir.path, 'fleet.csv');
  const [old, now] = ['ab'.repeat(32), 'CD:'.repeat(32).slice(0, -1)];
  const say = async (text: string): Promise<string> => {
    writeFileSync(file, text);
    const called = await callCommand(importProviders, ['-f', file], fixture.admin);
    t.is(called.code, 0, called.stderr);
    return (await callCommand(exportProviders, [], fixture.admin)).stdout;
  };
  const made = `r1,metal,10.0.0.1,redfish,${old}`;
  await say(`name,type,bmc.address,bmc.type,bmc.certificate\n${made}\n`);
  t.regex(await say('name,bmc.certificate\nr1,\n'), new RegExp(old));
  const after = await say(`name,bmc.certificate\nr1,${now}\n`);
  t.regex(after, new RegExp('cd'.repeat(32)));
  t.regex(after, /10\.0\.0\.1/);
});

test('each item has a result for programs', async (t) => {
  using dir = temporaryDir();
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  const file = join(dir.path, 'fleet.csv');
  writeFileSync(file, 'name,type\nr1,metal\nr2,=1\nr3,\n');
  const called = await callCommand(importProviders, ['-f', file, '--json'], fixture.admin);
  const lines = called.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(lines.map(({ line, id, outcome }) => [line, id, outcome]).toSorted(), [
    [2, 'r1', 'created'],
    [3, 'r2', 'failed'],
    [4, 'r3', 'failed'],
  ]);
  t.regex(lines.find(({ line }) => line === 4).error.message, /spec\.type/);
});

test('an import that stops says how to go on, and goes on from there', async (t) => {
  using dir = temporaryDir();
  const fixture = await startInventory(t);
  await makePartition(fixture, 'lab');
  const file = join(dir.path, 'fleet.csv');
  const rows = Array.from({ length: 1_700 }, (_, n) => `s${n},metal`);
  writeFileSync(file, `name,type\n${rows.join('\n')}\n`);
  let calls = 0;
  const broken: typeof fixture.admin = {
    stream: fixture.admin.stream,
    unary: async (method, ...rest) => {
      calls += 1;
      if (calls > 2) throw new Error('the line is cut');
      return fixture.admin.unary(method, ...rest);
    },
  };
  const stopped = await callCommand(importProviders, ['-f', file], broken);
  t.not(stopped.code, 0);
  const from = /--from-line (\d+)/.exec(stopped.stderr)?.[1] ?? '';
  t.true(Number(from) >= 2 && Number(from) < 1_700, stopped.stderr);
  const rest = await callCommand(importProviders, ['-f', file, '--from-line', from], fixture.admin);
  t.is(rest.code, 0, rest.stderr);
  const providers = createClient(ProviderService, fixture.admin);
  let count = 0;
  for (let pageToken = ''; ; ) {
    const page = await providers.listProviders({ parent: LAB, pageSize: 1000, pageToken });
    count += page.providers.length;
    pageToken = page.nextPageToken;
    if (pageToken === '') break;
  }
  t.is(count, 1_700);
});

test('a large file is read and sent in the memory of a few batches', async (t) => {
  using dir = temporaryDir();
  const file = join(dir.path, 'fleet.csv');
  const ROWS = 100_000;
  const lines = Array.from(
    { length: ROWS },
    (_, n) => `s${n},metal,02:00:00:00:00:00,${'x'.repeat(200)}`,
  );
  writeFileSync(file, `name,type,nic:eth0,note\n${lines.join('\n')}\n`);
  lines.length = 0;
  let items = 0;
  let underWay = 0;
  let most = 0;
  let heap = 0;
  const called = await callCommand(importProviders, ['-f', file], (router) => {
    router.rpc(ProviderService.method.batchUpsertProviders, async (request) => {
      underWay += 1;
      most = Math.max(most, underWay);
      items += request.items.length;
      if (items % 20_000 === 0) heap = Math.max(heap, process.memoryUsage().heapUsed);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
      return {
        results: request.items.map(() => ({ outcome: UpsertOutcome.CREATED })),
      };
    });
  });
  t.is(called.code, 0, called.stderr);
  t.is(items, ROWS);
  t.true(most <= 4);
  t.true(readFileSync(file).length > 20_000_000);
  // The file alone, as rows, would be several times this.
  t.true(heap < 400 * 1024 * 1024, `${Math.round(heap / 1024 / 1024)} MiB`);
});
