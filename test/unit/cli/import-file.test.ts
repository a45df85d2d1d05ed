import test from 'ava';
import { GroupKind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import { BmcType, NicType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { csvContents } from '../../../services/cli/import/csv.ts';
import { ndjsonContents, yamlContents } from '../../../services/cli/import/documents.ts';
import type { Contents, Entry, Source } from '../../../services/cli/import/entry.ts';
import { nicText, parseNic } from '../../../services/cli/import/nic-text.ts';

/** The text in small parts, as a slow pipe gives it. */
async function* bytesOf(text: string, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const sourceOf = (text: string): Source => ({
  name: 'fleet',
  bytes: bytesOf(text),
  partition: 'lab',
  project: 'ops',
  signal: new AbortController().signal,
});

const read = async (contents: Contents): Promise<Entry[]> => {
  const entries: Entry[] = [];
  for await (const entry of contents.entries) entries.push(entry);
  return entries;
};

const problems = (entries: readonly Entry[]) =>
  entries.flatMap((one) => (one.kind === 'wrong' ? [`${one.line} ${one.id}: ${one.problem}`] : []));

test('a spreadsheet row is a provider', async (t) => {
  const contents = csvContents(
    sourceOf(
      [
        'name,type,groups,rack,position,tags,nic:eth0,nic:bmc,bmc.type,bmc.address,bmc.secret,serial,inventory:runm.memory,property:zone,property:slots,agents:bmc,never_provision',
        'r1u1,metal,row1;site1,rack1,7,"a b",02-00-00-00-00-0A,02:00:00:00:00:0b,redfish,10.0.0.1,bmc,SN1,"64GiB,2GiB",east,4,a1,yes',
      ].join('\n'),
    ),
  );
  const [entry] = await read(contents);
  if (entry?.kind !== 'provider') throw new Error('No provider');
  const { spec, tags, properties } = entry.provider;
  t.is(entry.id, 'r1u1');
  t.is(entry.line, 2);
  t.is(spec?.type, ProviderType.BARE_METAL);
  t.deepEqual(spec?.groups, ['row1', 'site1', 'rack1']);
  t.like(spec?.location, { rack: 'rack1', position: 7 });
  t.true(spec?.neverProvision);
  t.deepEqual(
    spec?.nics.map(({ label, mac, type }) => [label, mac, type]),
    [
      ['eth0', '02:00:00:00:00:0a', NicType.PHYSICAL],
      ['bmc', '02:00:00:00:00:0b', NicType.BMC],
    ],
  );
  t.like(spec?.bmc, {
    type: BmcType.REDFISH,
    address: '10.0.0.1',
    secret: 'projects/ops/secrets/bmc',
  });
  t.like(spec?.inventories[0], {
    resourceType: 'runm.memory',
    total: 64n << 30n,
    reserved: 2n << 30n,
  });
  t.deepEqual(spec?.agentPools[0]?.agents, ['partitions/lab/agents/a1']);
  t.deepEqual(tags, ['a', 'b']);
  t.is(properties.zone?.kind.value, 'east');
  t.is(properties.slots?.kind.value, 4n);
  t.true(contents.paths()?.includes('spec.groups'));
  t.false(contents.paths()?.includes('spec.type'));
  t.false(contents.paths()?.includes('spec.capabilities'));
});

test('a row that says the kind of a group is one, and what it does not say stays', async (t) => {
  const text = [
    'name,type,rack,note,group.kind,group.parent,group.description,tags,nic:eth0',
    "rack1,,,,rack,row1,'=first,a b,",
    'r1u1,metal,rack1,x,,,,c,',
    'rack2,,rack1,,rack,,,,',
    'r1u2,metal,rack1,x,,row1,,,',
    'rack3,,,,shelf,,,,',
  ].join('\n');
  const entries = await read(csvContents(sourceOf(text)));
  const [group, provider] = entries;
  if (group?.kind !== 'group') throw new Error('No group');
  const { spec, tags } = group.group;
  t.like(spec, { kind: GroupKind.RACK, parentGroup: 'row1', description: '=first' });
  t.deepEqual(tags, ['a', 'b']);
  t.deepEqual(group.paths, ['spec.kind', 'spec.parent_group', 'spec.description', 'tags']);
  t.is(provider?.kind, 'provider');
  t.deepEqual(problems(entries), [
    '4 rack2: column "rack": a group has none',
    '5 r1u2: column "group.parent": the row is no group; a group has a "group.kind"',
    '6 rack3: kind: "shelf" is no kind of group; one of site, row, rack, power, aggregate',
  ]);
  const alone = await read(csvContents(sourceOf('name,group.kind\nrow1,row\nr1,\n')));
  t.is(alone[0]?.kind, 'group');
  t.deepEqual(problems(alone), ['3 r1: there is no column for a provider']);
});

test('an interface has its address, and may have its speed, use and place in the boot', async (t) => {
  const text = [
    'name,nic:eth0,nic:bmc,nic:p2',
    'a,"02-00-00-00-00-0A,speed=25G,primary","02:00:00:00:00:0b,speed=100M",speed=7',
    'b,,02:00:00:00:00:0c,"02:00:00:00:00:0d,type=bmc"',
    'c,"02:00:00:00:00:0e,fast",,',
    'd,"02:00:00:00:00:0f,speed=quick",,',
  ].join('\n');
  const entries = await read(csvContents(sourceOf(text)));
  const nics = entries.flatMap((one) =>
    one.kind === 'provider' ? (one.provider.spec?.nics ?? []) : [],
  );
  t.deepEqual(
    nics.map(({ label, mac, type, speedBitsPerSecond, primary }) => [
      ...[label, mac, type, speedBitsPerSecond],
      primary,
    ]),
    [
      ['eth0', '02:00:00:00:00:0a', NicType.PHYSICAL, 25_000_000_000n, true],
      ['bmc', '02:00:00:00:00:0b', NicType.BMC, 100_000_000n, false],
      ['p2', '', NicType.PHYSICAL, 7n, false],
      ['bmc', '02:00:00:00:00:0c', NicType.BMC, 0n, false],
      ['p2', '02:00:00:00:00:0d', NicType.BMC, 0n, false],
    ],
  );
  t.deepEqual(
    nics.slice(0, 4).map((nic) => parseNic(nic.label, nicText(nic))),
    nics.slice(0, 4),
  );
  t.deepEqual(problems(entries), [
    '4 c: column "nic:eth0": "fast" is nothing of an interface; ' +
      'write MAC[,speed=25G][,type=bmc][,primary]',
    '5 d: column "nic:eth0": "quick" is no speed; write it like 25G or 100M',
  ]);
});

test('a byte-order mark, semicolons and line breaks in cells are read', async (t) => {
  const text = '\u{feff}name;note\r\nr1;"two\nlines"\r\n\r\nr2;x\r\nr3\r\n';
  const entries = await read(csvContents(sourceOf(text)));
  t.deepEqual(
    entries.map(({ id, line, kind }) => [id, line, kind]),
    [
      ['r1', 2, 'provider'],
      ['r2', 5, 'provider'],
      ['r3', 6, 'wrong'],
    ],
  );
  t.deepEqual(problems(entries), ['6 r3: has 1 cells for 2 columns']);
});

for (const [titles, message] of [
  ['name,tpye', /fleet: line 1: there is no column "tpye"/],
  ['name,name', /stands there twice/],
  ['type', /"name" is missing/],
  ['name,nic:', /there is no column "nic:"/],
] as const) {
  test(`the columns "${titles}" are refused with the line`, async (t) => {
    await t.throwsAsync(read(csvContents(sourceOf(`${titles}\na,b\n`))), { message });
  });
}

test('formulas and cells that cannot be read are told with line and column', async (t) => {
  const text = [
    'name,note,position,bmc.type',
    'a,=1+1,1,ipmi',
    'b,+49,1,ipmi',
    'c,@sum,1,ipmi',
    '=cmd,x,1,ipmi',
    'd,x,high,ipmi',
    'e,x,1,telnet',
    ',x,1,ipmi',
    'f,ok,1,ipmi',
  ].join('\n');
  const entries = await read(csvContents(sourceOf(text)));
  t.deepEqual(problems(entries), [
    '2 a: column "note" holds the formula "=1+1"; give its value instead',
    '3 b: column "note" holds the formula "+49"; give its value instead',
    '4 c: column "note" holds the formula "@sum"; give its value instead',
    '5 =cmd: column "name" holds the formula "=cmd"; give its value instead',
    '6 d: column "position": "high" is no whole number',
    '7 e: column "bmc.type": "telnet" is none of redfish, ipmi, none',
    '8 : column "name" is empty',
  ]);
  t.is(entries.filter(({ kind }) => kind === 'provider').length, 1);
});

test('a type may be written as tables show it, and a wrong one is told with what there is', async (t) => {
  const rows = ['a,bare metal', 'b,VM Host', 'c,BARE_METAL', 'd,spaceship', 'e,metal'];
  const entries = await read(csvContents(sourceOf(['name,type', ...rows].join('\n'))));
  t.deepEqual(
    entries.flatMap((one) => (one.kind === 'provider' ? [one.provider.spec?.type] : [])),
    [
      ...[ProviderType.BARE_METAL, ProviderType.VM_HOST],
      ...[ProviderType.BARE_METAL, ProviderType.BARE_METAL],
    ],
  );
  t.deepEqual(problems(entries), [
    '5 d: column "type": "spaceship" is no type of provider; ' +
      'types are metal, bare-metal, vm-host, storage-pool, cloud, device',
  ]);
});

test('a quote that is never closed is told and does not read on for ever', async (t) => {
  await t.throwsAsync(read(csvContents(sourceOf('name,note\na,"open\nb,c\n'))), {
    message: /^fleet: .*[Qq]uote/,
  });
});

test('YAML documents hold groups, codes and providers, and tell their lines', async (t) => {
  const text = `# the rack
kind: Group
name: rack1
spec: {kind: GROUP_KIND_RACK}
---
kind: Capability
name: bmc.redfish
---

kind: Provider
name: partitions/LAB/providers/r1u1
tags: [a]
spec:
  type: PROVIDER_TYPE_BARE_METAL
--- {name: short, spec: {type: PROVIDER_TYPE_DEVICE}}
---
- {name: one, spec: {}}
- {kind: ResourceType, name: gpu.a100, spec: {unit: count}}
`;
  const entries = await read(yamlContents(sourceOf(text)));
  t.deepEqual(
    entries.map(({ kind, id, line }) => [kind, id, line]),
    [
      ['group', 'rack1', 1],
      ['capability', 'bmc.redfish', 5],
      ['provider', 'r1u1', 8],
      ['provider', 'short', 15],
      ['provider', 'one', 16],
      ['resource type', 'gpu.a100', 16],
    ],
  );
});

test('what is wrong in one document leaves the others', async (t) => {
  const text = `name: a
spec: {type: [}
---
name: b
spec: {tpye: 1}
---
kind: Server
name: c
---
name: partitions/other/providers/d
---
spec: {}
---
text
---
name: good
`;
  const entries = await read(yamlContents(sourceOf(text)));
  const told = problems(entries);
  t.is(told.length, 6);
  t.regex(told[0] ?? '', /^2 : no YAML/);
  t.regex(told[1] ?? '', /^3 b: .*tpye/);
  t.regex(told[2] ?? '', /^6 c: kind "Server" is none of/);
  t.regex(told[3] ?? '', /^9 d: .*does not lie in partitions\/lab/);
  t.regex(told[4] ?? '', /"name" is missing/);
  t.regex(told[5] ?? '', /no object/);
  t.is(entries.at(-1)?.id, 'good');
});

test('NDJSON is read by the line', async (t) => {
  const text = '{"name":"a","spec":{}}\n\n{"name":\n{"kind":"Group","name":"g"}';
  const entries = await read(ndjsonContents(sourceOf(text)));
  t.deepEqual(
    entries.map(({ kind, line }) => [kind, line]),
    [
      ['provider', 1],
      ['wrong', 3],
      ['group', 4],
    ],
  );
  t.is(entries.at(-1)?.bytes, Buffer.byteLength(text));
});

test('a line without an end is refused before it fills the memory', async (t) => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(65_536, 'x');
  }
  const source = { ...sourceOf(''), bytes: endless() };
  await t.throwsAsync(read(ndjsonContents(source)), { message: /longer than 4 MiB/ });
});

test('a word or a field that the contract does not know is told with those it knows', async (t) => {
  const lines = [
    '{"name":"a","spec":{"type":"metal"}}',
    '{"name":"b","spec":{"typ":"x"}}',
    '{"name":"c","spec":{"bmc":{"adress":"10.0.0.1"}}}',
  ];
  const told = problems(await read(ndjsonContents(sourceOf(lines.join('\n')))));
  t.regex(told[0] ?? '', /^1 a: "metal" is none of PROVIDER_TYPE_BARE_METAL, PROVIDER_TYPE_/);
  t.is(told[1], '2 b: ProviderSpec has no field "typ"; did you mean "type"?');
  t.is(told[2], '3 c: Bmc has no field "adress"; did you mean "address"?');
});

test('words of the contract may be written short, in any case', async (t) => {
  const text = [
    'kind: Group',
    'name: rack1',
    'spec: {kind: rack}',
    '---',
    'name: r1u1',
    'spec:',
    '  type: bare-metal',
    '  bmc: {type: Redfish}',
    '  nics: [{label: eth0, type: physical}, {label: eth1, type: NIC_TYPE_BMC}]',
  ].join('\n');
  const [group, provider] = await read(yamlContents(sourceOf(text)));
  t.is(group?.kind === 'group' ? group.group.spec?.kind : undefined, GroupKind.RACK);
  const spec = provider?.kind === 'provider' ? provider.provider.spec : undefined;
  t.is(spec?.type, ProviderType.BARE_METAL);
  t.is(spec?.bmc?.type, BmcType.REDFISH);
  t.deepEqual(
    spec?.nics.map(({ type }) => type),
    [NicType.PHYSICAL, NicType.BMC],
  );
});

test('a column of UUIDs holds UUIDs, and a formula is to be its value', async (t) => {
  const rows = ['name,uuid,note', 'a,nonsense,', 'b,,=1+1', `c,${'AB'.repeat(4)}-1-1-1-1,`];
  const told = problems(await read(csvContents(sourceOf(rows.join('\n')))));
  t.deepEqual(told, [
    '2 a: column "uuid": "nonsense" is no UUID',
    '3 b: column "note" holds the formula "=1+1"; give its value instead',
    '4 c: column "uuid": "ABABABAB-1-1-1-1" is no UUID',
  ]);
  const good = 'name,uuid\na,4C4C4544-0042-3010-8033-B7C04F4D3032';
  const [entry] = await read(csvContents(sourceOf(good)));
  const facts = entry?.kind === 'provider' ? entry.provider.spec?.facts : undefined;
  t.is(facts?.smbiosUuid, '4c4c4544-0042-3010-8033-b7c04f4d3032');
});
