import { create, equals, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { GroupKind } from '../../../gen/runmachine/common/v1/group_kind_pb.ts';
import { ClaimSpecSchema, Ranking } from '../../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import { specOf } from '../../../services/scheduler/rpc/claim-request.ts';
import { specMessage } from '../../../services/scheduler/rpc/spec-message.ts';

const UID = '01890000-0000-7000-8000-00000000000a';
const item = (key: string, value: string) => ({
  key,
  value: { kind: { case: 'stringValue' as const, value } },
});
const block = { require: ['cpu.x86'], forbid: ['gpu'], any: ['a', 'b'] };

/** Every field says something. */
const FULL: MessageInitShape<typeof ClaimSpecSchema> = {
  consumer: { type: 'runm.machine', uid: UID, name: 'm1' },
  acquireTime: timestampFromMs(1_000),
  releaseTime: timestampFromMs(2_000),
  count: 3,
  ranking: Ranking.CLOSEST,
  rankingDistanceType: 'network',
  nearGroup: 'rack1',
  seed: 'dice',
  spread: { groupKind: GroupKind.POWER, maxPerGroup: 2 },
  groups: [
    {
      name: 'web',
      resources: [
        { resourceType: 'runm.memory', amount: 8n, minAmount: 4n, capabilities: [block] },
      ],
      capabilities: [block, { require: ['cpu.arm'] }],
      providerGroups: { any: ['rack1'] },
      tags: { forbid: ['old'] },
      providers: [UID],
      isolateFrom: ['web'],
      properties: {
        requireItems: [item('disk.kind', 'nvme')],
        forbidItems: [{ key: 'n', value: { kind: { case: 'integerValue', value: -(2n ** 63n) } } }],
        anyItems: [
          { key: 'x', value: { kind: { case: 'numberValue', value: Infinity } } },
          { key: 'y', value: { kind: { case: 'boolValue', value: false } } },
          { key: 'z', value: { kind: { case: 'stringList', value: { values: ['p', 'q'] } } } },
        ],
        requireKeys: ['a'],
        forbidKeys: ['b'],
        anyKeys: ['c'],
      },
      distances: [
        { type: 'network', from: { case: 'providerGroup', value: 'rack1' }, minimum: 'near' },
        { type: 'network', from: { case: 'provider', value: UID }, maximum: 'far' },
        { type: 'network', from: { case: 'requestGroup', value: 'db' } },
        { type: 'network', from: { case: 'consumer', value: UID } },
      ],
      inTree: UID,
      multipleProviders: true,
      sameSubtree: ['web', 'db'],
      isolateFromConsumers: [UID],
    },
    {
      name: 'db',
      resources: [{ resourceType: 'runm.cpu.shared', amount: 1n }],
      providerGroups: {},
      tags: {},
    },
  ],
};

test('a request is shown as it was made, field by field', (t) => {
  const asked = create(ClaimSpecSchema, FULL);
  const spec = specOf(asked, 'claim.spec');
  const shown = create(ClaimSpecSchema, specMessage({ ...spec, acquireMs: spec.acquireMs ?? 0 }));
  t.true(equals(ClaimSpecSchema, asked, shown), JSON.stringify(spec));
  for (const field of ClaimSpecSchema.fields) {
    if (field.localName === 'parentClaim') continue;
    t.truthy(shown[field.localName as keyof typeof shown], field.name);
  }
});

test('ids and uids are kept in lower case and a group without a name is called main', (t) => {
  const spec = specOf(
    create(ClaimSpecSchema, {
      groups: [
        {
          resources: [{ resourceType: 'runm.cpu.shared', amount: 1n }],
          providerGroups: { require: ['Rack1'] },
          inTree: UID.toUpperCase(),
          isolateFrom: [''],
        },
      ],
      ranking: Ranking.CLOSEST,
      rankingDistanceType: 'network',
      nearGroup: 'ROW-A',
    }),
    'spec',
  );
  t.is(spec.nearGroup, 'row-a');
  t.is(spec.count, 1);
  const [group] = spec.groups;
  t.is(group?.name, 'main');
  t.deepEqual(group?.isolateFrom, ['main']);
  t.deepEqual(group?.providerGroups.require, ['rack1']);
  t.is(group?.inTree, UID);
  t.false(Object.hasOwn(group ?? {}, 'distances'), 'what is empty takes no room in the record');
});

test('what makes no sense is refused with its field', (t) => {
  const wrong = create(ClaimSpecSchema, { ...FULL, parentClaim: 'claims/x' });
  t.throws(() => specOf(wrong, 'spec'), { message: /spec\.parent_claim/ });
  t.throws(() => specOf(undefined, 'claim.spec'), { message: /claim\.spec/ });
  const lone = create(ClaimSpecSchema, { ...FULL, rankingDistanceType: '' });
  t.throws(() => specOf(lone, 'spec'), { message: /spec\.ranking_distance_type/ });
});
