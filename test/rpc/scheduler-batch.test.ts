import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import test from 'ava';
import { ErrorInfoSchema } from '../../gen/google/rpc/error_details_pb.ts';
import type { Status } from '../../gen/google/rpc/status_pb.ts';
import { NoCapacitySchema } from '../../gen/runmachine/common/v1/error_pb.ts';
import type { AllocationSchema } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { BatchClaimResult } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { refused } from '../support/rpc-errors.ts';
import { claimRequest, openProvider, RED, startScheduler } from './scheduler-fixture.ts';
import { CPU, MEMORY } from './scheduler-neighbours.ts';

const newId = () => systemRandom.requestId();

const itemOf = (claimId: string, cpus = 1) => {
  const { claim } = claimRequest(claimId, { cpus });
  return { claimId, claim };
};

const claimIn = ({ result }: BatchClaimResult) =>
  result.case === 'claim' ? result.value : undefined;
const errorIn = ({ result }: BatchClaimResult): Status | undefined =>
  result.case === 'error' ? result.value : undefined;
/** The first detail of that kind. */
const detailIn = <D extends DescMessage>(status: Status | undefined, schema: D) =>
  (status?.details ?? []).flatMap((packed) => anyUnpack(packed, schema) ?? [])[0];

test('every claim of a batch has its own result, in the order of the request', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1', cpus: 4 });
  const claims = node.claims('red');
  const items = [itemOf('a', 2), itemOf('b', 8), itemOf('a', 1), itemOf('c', 2), itemOf('d', 1)];
  const wrong = { claimId: 'e', claim: { spec: { ...itemOf('e').claim.spec, parentClaim: 'x' } } };
  const { results } = await claims.batchCreateClaims({
    parent: RED,
    claims: [...items, wrong],
    requestId: newId(),
  });
  t.deepEqual(
    results.map((one) => claimIn(one)?.name.split('/').at(-1) ?? errorIn(one)?.code),
    [
      'a',
      Code.ResourceExhausted,
      Code.AlreadyExists,
      'c',
      Code.ResourceExhausted,
      Code.InvalidArgument,
    ],
  );
  const noRoom = results[1] && errorIn(results[1]);
  const info = detailIn(noRoom, ErrorInfoSchema);
  t.is(info?.reason, 'NO_CAPACITY');
  const why = detailIn(noRoom, NoCapacitySchema);
  t.true((why?.steps.length ?? 0) > 0, 'the details of the call are there too');
});

test('an item against the rules of the contract is refused alone, and named as in its own call', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1', cpus: 8 });
  const claims = node.claims('red');
  const badName = itemOf('no good');
  const tooMany = itemOf('many');
  const wrong = [
    badName,
    { claimId: 'empty' },
    { claimId: 'many', claim: { spec: { ...tooMany.claim.spec, count: 5_000 } } },
  ];
  const request = { parent: RED, claims: [itemOf('a'), ...wrong, itemOf('z')], requestId: newId() };
  const { results } = await claims.batchCreateClaims(request);
  t.deepEqual(
    results.map((one) => claimIn(one)?.name.split('/').at(-1) ?? errorIn(one)?.code),
    ['a', Code.InvalidArgument, Code.InvalidArgument, Code.InvalidArgument, 'z'],
  );
  const fields = results.map((one) => detailIn(errorIn(one), ErrorInfoSchema)?.metadata.field);
  t.deepEqual(fields, [undefined, 'claim_id', 'claim', 'claim.spec.count', undefined]);
  for (const item of wrong) {
    const call = claims.createClaim({ parent: RED, ...item, requestId: newId() });
    await refused(t, call, { kind: 'invalid_argument', reason: 'INVALID_FIELD' });
  }
  const invalid = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
  await refused(t, claims.batchCreateClaims({ ...request, claims: [] }), invalid);
  await refused(t, claims.batchCreateClaims({ ...request, parent: 'nowhere' }), invalid);
});

test('a batch that is sent again creates only what is missing', async (t) => {
  const { nodes, addHost } = await startScheduler(t, { replicas: 2 });
  const host = await addHost({ id: 'host-1', cpus: 3 });
  const [first, second] = nodes;
  if (first === undefined || second === undefined) throw new Error('Two replicas were asked for');
  const request = { parent: RED, claims: [itemOf('a'), itemOf('b', 3)], requestId: newId() };
  const before = (await first.claims('red').batchCreateClaims(request)).results;
  t.truthy(before[0] && claimIn(before[0]));
  t.truthy(before[1] && errorIn(before[1]));
  if (host.spec === undefined) throw new Error('The host has no spec');
  host.generation = 2n;
  for (const inventory of host.spec.inventories) inventory.total += 9n;
  await openProvider(first, host);
  const after = (await second.claims('red').batchCreateClaims(request)).results;
  t.is(after[0] && claimIn(after[0])?.uid, before[0] && claimIn(before[0])?.uid);
  t.truthy(after[1] && claimIn(after[1]), 'what found no place is decided again');
  const other = { ...request, claims: [itemOf('x'), ...request.claims.slice(1)] };
  const reused = (await first.claims('red').batchCreateClaims(other)).results;
  t.is(reused[0] && errorIn(reused[0])?.code, Code.InvalidArgument);
  t.is(reused[1] && claimIn(reused[1])?.uid, after[1] && claimIn(after[1])?.uid);
});

test('sixty-four claims are made in one call', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1', cpus: 64 });
  const request = {
    parent: RED,
    claims: Array.from({ length: 64 }, (_, at) => itemOf(`c${at}`)),
    requestId: newId(),
  };
  const { results } = await node.claims('red').batchCreateClaims(request);
  t.is(results.filter((one) => claimIn(one) !== undefined).length, 64);
  const revisions = new Set(results.map((one) => claimIn(one)?.status?.revision));
  // A loaded machine decides less before it commits.
  t.true(revisions.size <= 16, `${revisions.size} transactions for 64 claims`);
});

test('a claim is made on a candidate that fits, and on nothing else', async (t) => {
  const { node, addHost } = await startScheduler(t);
  const [one, two] = [await addHost({ id: 'host-1' }), await addHost({ id: 'host-2' })];
  const claims = node.claims('red');
  const executing = (
    id: string,
    allocations: MessageInitShape<typeof AllocationSchema>[],
    cpus = 4,
  ) => {
    const { claim } = claimRequest(id, { cpus });
    return claims.executeClaim({
      parent: RED,
      claimId: id,
      claim,
      candidate: { allocations },
      requestId: newId(),
    });
  };
  const on = (providerUid: string, cpus = 4n) => [
    { group: 'main', index: 0, providerUid, resourceType: CPU, amount: cpus },
    { group: 'main', index: 0, providerUid, resourceType: MEMORY, amount: 1n },
  ];
  for (const [id, host] of [
    ['a', one],
    ['b', one],
    ['c', two],
  ] as const) {
    const { claim } = await executing(id, on(host.uid));
    t.deepEqual(
      claim?.status?.allocations.map(({ providerUid }) => providerUid),
      [host.uid, host.uid],
    );
  }
  const stale = { kind: 'aborted', reason: 'CANDIDATE_STALE' } as const;
  const full = await refused(t, executing('d', on(one.uid)), stale);
  t.truthy(full.metadata.problems);
  const nobody = await refused(t, executing('d', on(newId())), stale);
  t.regex(nobody.message, /there is no provider/);
  await refused(t, executing('d', on(two.uid, 1n)), stale);
  await refused(t, executing('d', on(two.uid).slice(0, 1)), stale);
  const split = [...on(two.uid).slice(0, 1), ...on(one.uid).slice(1)];
  await refused(t, executing('d', split), stale);
  const invalid = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
  const [cpu] = on(two.uid);
  await refused(t, executing('d', [{ ...cpu, group: 'web' }]), invalid);
  await refused(t, executing('d', [{ ...cpu, index: 1 }]), invalid);
  await refused(t, executing('d', [{ ...cpu, resourceType: 'runm.gpu' }]), invalid);
  await refused(t, executing('d', [cpu ?? {}, cpu ?? {}]), invalid);
  t.is((await claims.listClaims({ parent: RED })).claims.length, 3, 'nothing else was taken');
});
