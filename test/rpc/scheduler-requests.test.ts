/** Requests that no claim can be made of, told to the caller. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import type { ClaimSpecSchema } from '../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { refused } from '../support/rpc-errors.ts';
import { type Node, RED, startScheduler } from './scheduler-fixture.ts';
import { CPU, MEMORY } from './scheduler-neighbours.ts';

type Spec = MessageInitShape<typeof ClaimSpecSchema>;
type Group = NonNullable<Spec['groups']>[number];

const creating = (node: Node, spec: Spec) =>
  node.claims('red').createClaim({
    parent: RED,
    claimId: 'a',
    claim: { spec },
    requestId: systemRandom.requestId(),
  });

const group = (rest: Group = {}): Group => ({
  resources: [{ resourceType: CPU, amount: 1n }],
  ...rest,
});

test('what a request names must exist', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const unknown = (rest: Group, reason: string) =>
    refused(t, creating(node, { groups: [group(rest)] }), { kind: 'invalid_argument', reason });
  const luck = await unknown(
    { resources: [{ resourceType: 'runm.luck', amount: 1n }] },
    'UNKNOWN_RESOURCE_TYPE',
  );
  t.is(luck.metadata.field, 'claim.spec.groups[0].resources[0].resource_type');
  const z80 = await unknown({ capabilities: [{ any: ['cpu.z80'] }] }, 'UNKNOWN_CAPABILITY');
  t.is(z80.metadata.field, 'claim.spec.groups[0].capabilities[0].any[0]');
  const own = [{ resourceType: CPU, amount: 1n, capabilities: [{ require: ['gpu.cuda'] }] }];
  const cuda = await unknown({ resources: own }, 'UNKNOWN_CAPABILITY');
  t.is(cuda.metadata.field, 'claim.spec.groups[0].resources[0].capabilities[0].require[0]');
  t.is(cuda.extras.violations?.[0]?.field, cuda.metadata.field);
  const nowhere = await unknown({ providerGroups: { require: ['rack-9'] } }, 'UNKNOWN_GROUP');
  t.is(nowhere.metadata.name, 'rack-9');
  const from = { case: 'provider' as const, value: systemRandom.uid() };
  await unknown({ distances: [{ type: 'astral', from }] }, 'UNKNOWN_DISTANCE_TYPE');
  await unknown({ properties: { requireKeys: ['bios.secret'] } }, 'PROPERTY_NOT_SCHEDULABLE');
});

test('every field of a request that makes no sense is named', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const invalid = async (spec: Spec) => {
    const error = await refused(t, creating(node, spec), {
      kind: 'invalid_argument',
      reason: 'INVALID_FIELD',
    });
    t.is(error.metadata.field, error.extras.violations?.[0]?.field);
    return (error.extras.violations ?? []).map(({ field }) => field);
  };
  t.deepEqual(
    await invalid({
      groups: [
        group({ name: 'web', isolateFrom: ['db'], sameSubtree: ['cache'] }),
        group({
          name: 'web',
          resources: [
            { resourceType: CPU, amount: 2n, minAmount: 3n },
            { resourceType: MEMORY, amount: 2n ** 60n },
          ],
        }),
      ],
    }),
    [
      'claim.spec.groups[0].isolate_from[0]',
      'claim.spec.groups[0].same_subtree[0]',
      'claim.spec.groups[1].name',
      'claim.spec.groups[1].resources[0].min_amount',
      'claim.spec.groups[1].resources[1].amount',
    ],
  );
  const many = Array.from({ length: 16 }, (_, at) => group({ name: `g${at}` }));
  t.deepEqual(await invalid({ groups: many, count: 1_000 }), ['claim.spec.count']);
  await invalid({ groups: [group()], count: 1_000_000 });
  await invalid({ groups: [...many, group({ name: 'one-more' })] });
  await invalid({ groups: [] });
});

test('a window must end after it begins and not lie in the past', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const nowMs = clock.now().getTime();
  const window = (fromMs: number, toMs: number) =>
    refused(
      t,
      creating(node, {
        groups: [group()],
        acquireTime: timestampFromMs(nowMs + fromMs),
        releaseTime: timestampFromMs(nowMs + toMs),
      }),
      { kind: 'invalid_argument', reason: 'WINDOW_INVALID' },
    );
  await window(2_000_000, 1_000_000);
  await window(2_000_000, 2_000_000);
  await window(-2_000_000, -1_000_000);
});
