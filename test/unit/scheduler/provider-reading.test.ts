import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import test from 'ava';
import {
  ProviderSchema,
  ProviderSpecSchema,
  ProviderType,
} from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { WireFields } from '../../../services/runtime/wire-fields.ts';
import { createProviderReading } from '../../../services/scheduler/work/provider-reading.ts';

type Given = MessageInitShape<typeof ProviderSchema>;

const KEYS = new Set(['support', 'sizes']);
const UID = '0197ee00-0000-7000-8000-00000000000A';

const encoded = (provider: Given): Buffer =>
  Buffer.from(toBinary(ProviderSchema, create(ProviderSchema, provider)));

const text = (value: string) => ({ kind: { case: 'stringValue' as const, value } });

const SPEC = {
  type: ProviderType.BARE_METAL,
  parentProvider: 'partitions/Lab/providers/chassis',
  capabilities: ['boot.uefi', 'bmc.redfish'],
  groups: ['Rack-1', 'feed-a'],
  inventories: [
    { resourceType: 'cpu', total: 10n, reserved: 1n, allocationRatioMilli: 1500 },
    { resourceType: 'memory', total: 2n ** 60n, minUnit: 4n, stepSize: 2n, maxUnit: 8n },
  ],
  facts: { serialNumber: 'ABC', vendor: 'acme' },
  distances: [{ type: 'network', group: 'Core', step: 'near' }],
};

const full = (id: string, changed: Partial<typeof SPEC> = {}): Given => ({
  name: `partitions/Lab/providers/${id}`,
  uid: UID,
  etag: 'W/"7"',
  generation: 2n ** 40n,
  properties: {
    support: text('gold'),
    'asset.tag': text(id),
    sizes: { kind: { case: 'stringList', value: { values: ['é', '2'] } } },
  },
  tags: ['canary', 'größe'],
  spec: create(ProviderSpecSchema, { ...SPEC, ...changed }),
  status: { parentUid: 'ABCD', rootUid: 'EF', observedFacts: { serialNumber: id } },
});

const reading = () => {
  const read = createProviderReading(() => KEYS);
  return (bytes: Buffer) => read(new WireFields(bytes));
};

test('of a provider is read what placement needs', (t) => {
  const found = reading()(encoded(full('n-1')));
  t.is(found?.partition, 'lab');
  t.is(found?.uid, UID.toLowerCase());
  t.is(found?.id, 'n-1');
  t.is(found?.generation, 2 ** 40);
  t.deepEqual(found?.where, {
    parent: 'partitions/Lab/providers/',
    groups: new Set(['rack-1', 'feed-a']),
    tags: new Set(['canary', 'größe']),
    parentUid: 'abcd',
    distances: [{ type: 'network', group: 'core', step: 'near' }],
  });
  t.is(found?.what.type, 'bare-metal');
  t.deepEqual(found?.what.capabilities, new Set(['boot.uefi', 'bmc.redfish']));
  const most = Number.MAX_SAFE_INTEGER;
  t.deepEqual(
    [...(found?.what.offers ?? [])],
    [
      ['cpu', { usable: 13, minUnit: 1, maxUnit: 10, stepSize: 1 }],
      ['memory', { usable: most, minUnit: 4, maxUnit: 8, stepSize: 2 }],
    ],
  );
  t.deepEqual(
    found?.properties,
    new Map([
      ['sizes', { kind: 'strings', value: ['é', '2'] }],
      ['support', { kind: 'string', value: 'gold' }],
    ] as const),
  );
});

test('what providers have alike is one object, in whatever order it is told', (t) => {
  const read = reading();
  const [one, other] = ['n-1', 'n-2'].map((id) => read(encoded(full(id))));
  t.is(one?.where, other?.where);
  t.is(one?.what, other?.what);
  t.is(one?.properties, other?.properties);
  const turned = read(encoded(full('n-3', { capabilities: ['bmc.redfish', 'boot.uefi'] })));
  t.is(one?.what, turned?.what);
  const away = read(encoded(full('n-4', { groups: ['rack-2', 'feed-a'] })));
  t.deepEqual(away?.where.groups, new Set(['rack-2', 'feed-a']));
  t.is(one?.what, away?.what);
});

test('a tag, a group and a parent of one name are three things', (t) => {
  const read = reading();
  const bare = { name: 'partitions/Lab/providers/n', uid: UID };
  const tagged = read(encoded({ ...bare, tags: ['x'] }));
  const grouped = read(encoded({ ...bare, spec: { groups: ['x'] } }));
  const parted = read(encoded({ ...bare, status: { parentUid: 'x' } }));
  const placed = [tagged, grouped, parted].map((one) => ({
    tags: [...(one?.where.tags ?? [])],
    groups: [...(one?.where.groups ?? [])],
    parent: one?.where.parentUid,
  }));
  t.deepEqual(placed, [
    { tags: ['x'], groups: [], parent: undefined },
    { tags: [], groups: ['x'], parent: undefined },
    { tags: [], groups: [], parent: 'x' },
  ]);
});

test('parts of a message may come in any order, and what is not known is passed over', (t) => {
  const read = reading();
  const { name, uid, spec, ...rest } = create(ProviderSchema, full('n-1'));
  const { $typeName: _, ...others } = rest;
  const halves: Given[] = [spec === undefined ? {} : { spec }, others, { uid }, { name }];
  const unknown = Buffer.from('f9070102030405060708fd0701020304fa0703616263f807ff01', 'hex');
  const turned = Buffer.concat([unknown, ...halves.map((half) => encoded(half)), unknown]);
  t.deepEqual(read(turned), read(encoded(full('n-1'))));
});

test('a provider of which little is said is read, one without a name or a uid is none', (t) => {
  const read = reading();
  const bare = read(encoded({ name: 'partitions/lab/providers/x', uid: 'u' }));
  t.is(bare?.what.type, '');
  t.is(bare?.generation, 0);
  t.is(bare?.properties, undefined);
  t.is(bare?.where.parentUid, undefined);
  t.is(read(encoded({ name: 'partitions/lab/providers/x' })), undefined);
  t.is(read(encoded({ uid: 'u' })), undefined);
  t.is(read(encoded({ name: 'providers/x', uid: 'u' })), undefined);
});

test('what is no encoded message is refused', (t) => {
  const whole = encoded(full('n-1'));
  for (const length of [1, 29, whole.length - 1]) {
    t.throws(() => reading()(whole.subarray(0, length)), { message: /cannot be decoded/ });
  }
  const group = Buffer.from('0b', 'hex');
  t.throws(() => reading()(group), { message: /cannot be decoded/ });
  const endless = Buffer.alloc(20, 0xff);
  t.throws(() => reading()(endless), { message: /cannot be decoded/ });
});
