import { toJson } from '@bufbuild/protobuf';
import test from 'ava';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ClaimSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  ClaimService,
  type CreateClaimRequest,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { create } from '../../../services/cli/commands/claim/create.ts';
import { callCommand } from './call-command.ts';

const UID = '01890000-0000-7000-8000-00000000000a';

/** What the server was asked for by these options. */
const asked = async (...options: string[]) => {
  const requests: CreateClaimRequest[] = [];
  const called = await callCommand(create, ['web', ...options], (router) => {
    router.service(ProviderService, { getProvider: () => ({ provider: { uid: UID } }) });
    router.service(ClaimService, {
      getClaim: () => ({ claim: { uid: UID } }),
      createClaim: (request) => {
        requests.push(request);
        return { claim: { name: `${request.parent}/claims/${request.claimId}` } };
      },
    });
  });
  const [request] = requests;
  const spec = request?.claim && toJson(ClaimSchema, request.claim);
  return { called, request, spec: isObject(spec) ? spec.spec : undefined };
};

const isObject = (value: unknown): value is { readonly spec: unknown } =>
  typeof value === 'object' && value !== null && 'spec' in value;

test('resources, constraints and ranking become one request', async (t) => {
  const { spec, request } = await asked(
    ...['--cpus', '2', '--memory', '1GiB..4GiB', '--resource', 'gpu.a100=1', '--count', '8'],
    ...['--require', 'cpu.avx2', '--forbid', 'old', '--any', 'net.a', '--any', 'net.b'],
    ...['--group', 'rack1', '--not-group', 'rack2', '--tag', 'fast', '--in-tree', 'chassis'],
    ...['--property', 'zone:string=4', '--property', 'slots=4', '--not-property', 'spare'],
    ...['--rank', 'closest', '--distance-type', 'network', '--near', 'rack1', '--seed', 's'],
    ...['--spread', 'rack:2', '--isolate', '--apart-from', 'claim:db'],
    ...['--distance', 'network<=same-row from group:rack1', '--claim-tag', 'mine'],
  );
  t.is(request?.parent, 'partitions/lab/projects/red');
  t.deepEqual(request?.claim?.tags, ['mine']);
  t.deepEqual(spec, {
    count: 8,
    ranking: 'RANKING_CLOSEST',
    rankingDistanceType: 'network',
    nearGroup: 'rack1',
    seed: 's',
    spread: { groupKind: 'GROUP_KIND_RACK', maxPerGroup: 2 },
    groups: [
      {
        name: 'main',
        resources: [
          { resourceType: 'runm.cpu.shared', amount: '2' },
          { resourceType: 'runm.memory', amount: '4294967296', minAmount: '1073741824' },
          { resourceType: 'gpu.a100', amount: '1' },
        ],
        capabilities: [{ require: ['cpu.avx2'], forbid: ['old'], any: ['net.a', 'net.b'] }],
        providerGroups: { require: ['rack1'], forbid: ['rack2'] },
        tags: { require: ['fast'] },
        properties: {
          requireItems: [
            { key: 'zone', value: { stringValue: '4' } },
            { key: 'slots', value: { integerValue: '4' } },
          ],
          forbidKeys: ['spare'],
        },
        isolateFrom: ['main'],
        isolateFromConsumers: [UID],
        inTree: UID,
        distances: [{ type: 'network', providerGroup: 'rack1', maximum: 'same-row' }],
      },
    ],
  });
});

test('what is not asked for is not in the request', async (t) => {
  const { spec } = await asked('--whole');
  t.deepEqual(spec, {
    count: 1,
    groups: [{ name: 'main', resources: [{ resourceType: 'runm.machine.whole', amount: '1' }] }],
  });
});

test('a window is counted from its begin, and begins now when nothing is said', async (t) => {
  const later = await asked('--whole', '--from', '2026-02-01T00:00Z', '--for', '1d12h');
  t.like(later.spec, {
    acquireTime: '2026-02-01T00:00:00Z',
    releaseTime: '2026-02-02T12:00:00Z',
  });
  const now = await asked('--whole', '--for', '4h');
  t.like(now.spec, { acquireTime: undefined, releaseTime: '2026-01-01T04:00:00Z' });
});

const refused = test.macro({
  exec: async (t, options: string, told: RegExp) => {
    const { called, request } = await asked(
      ...options.split(' ').map((one) => one.replaceAll('_', ' ')),
    );
    t.is(called.code, 2);
    t.is(request, undefined);
    t.regex(called.stderr, told);
  },
  title: (_, options: string) => `"${options}" is refused before the call`,
});
test(refused, '--cpus two', /--cpus: "two" is not a whole number/);
test(refused, '--cpus 0', /--cpus: the amount is 0/);
test(refused, '--memory lots', /--memory: "lots" is not a size/);
test(refused, '--memory 4GiB..1GiB', /more at least than at most/);
test(refused, '--resource gpu', /--resource: "gpu" is not TYPE=AMOUNT/);
test(refused, '--count 3', /nothing is claimed/);
test(refused, '--whole --count 0', /--count: "0" is not a number from 1 to 1000/);
test(refused, '--whole --count 1001', /--count/);
test(refused, '--whole --rank best', /--rank: "best" is unknown/);
test(refused, '--whole --rank closest', /add --distance-type/);
test(refused, '--whole --distance-type network', /--distance-type without --rank/);
test(refused, '--whole --spread rack:0:1', /--spread: "rack:0:1" is not KIND/);
test(refused, '--whole --spread shelf', /--spread: "shelf" is no kind of group/);
test(refused, '--whole --property Zone=1', /--property: "Zone=1" is not KEY=VALUE/);
test(refused, '--whole --property a:integer=x', /"x" is no value of type "integer"/);
test(refused, '--whole --apart-from web', /--apart-from: "web" is neither claim nor consumer/);
test(refused, '--whole --for 0s', /--for: the span is empty/);
test(refused, '--whole --until 2_h', /--until: "2 h" is not a time/);
test(refused, '--whole --until 2025-12-31', /the window ends before it begins/);
test(refused, '--whole --for 1h --until tomorrow', /exclude each other/);

test('on metal means a whole server, and a claim without a name gets one', async (t) => {
  const { request, spec, called } = await asked('--on', 'metal', '--count', '2');
  t.like(spec, {
    count: 2,
    groups: [{ name: 'main', resources: [{ resourceType: 'runm.machine.whole', amount: '1' }] }],
  });
  t.is(request?.claimId, 'web');
  t.is(called.code, 0);
  const wrong = await asked('--on', 'moon');
  t.is(wrong.called.code, 2);
  t.regex(wrong.called.stderr, /any, metal or vm/);
  const both = await asked('--on', 'vm', '--whole');
  t.is(both.called.code, 2);
  const ids: string[] = [];
  const nameless = await callCommand(create, ['--on', 'metal'], (router) => {
    router.service(ClaimService, {
      createClaim: ({ parent, claimId }) => {
        ids.push(claimId);
        return { claim: { name: `${parent}/claims/${claimId}` } };
      },
    });
  });
  t.is(nameless.code, 0, nameless.stderr);
  t.regex(ids[0] ?? '', /^claim-[0-9a-f]{8}$/);
  t.regex(nameless.stdout, new RegExp(`claims/${ids[0]}`));
});
