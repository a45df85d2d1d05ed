import type { MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import type { QuotaSpecSchema } from '../../gen/runmachine/scheduler/v1/quota_pb.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { domainErrorOf } from '../../services/runtime/rpc/error-reading.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { silentLog } from '../support/silent-log.ts';
import { claimRequest, RED, startScheduler } from './scheduler-fixture.ts';
import { CPU, MEMORY } from './scheduler-neighbours.ts';

const newId = () => systemRandom.requestId();
const RED_QUOTA = `${RED}/quota`;
const CRIMSON = 'partitions/lab/projects/crimson';

const setting = (
  name: string,
  spec: MessageInitShape<typeof QuotaSpecSchema>,
  rest: { readonly generation?: bigint; readonly etag?: string } = {},
) => ({ quota: { name, spec, ...rest }, requestId: newId() });
const cpus = (amount: bigint) => ({ limits: [{ resourceType: CPU, amount }] });

test('a quota is set, shown with what is used, and holds', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const quotas = node.quotas('admin');
  const before = await node.quotas('red').getQuota({ name: RED_QUOTA });
  t.is(before.quota?.generation, 0n);
  t.deepEqual(before.quota?.status?.uses, []);
  const { quota } = await quotas.setQuota(setting(RED_QUOTA, cpus(4n)));
  t.is(quota?.generation, 1n);
  t.not(quota?.etag, before.quota?.etag);
  const claims = node.claims('red');
  await claims.createClaim(claimRequest('a', { cpus: 3 }));
  const over = await refused(t, claims.createClaim(claimRequest('b', { cpus: 2 })), {
    kind: 'resource_exhausted',
    reason: 'QUOTA_EXCEEDED',
  });
  t.like(over.metadata, { project: 'red', resourceType: CPU, limit: '4', used: '3', wanted: '2' });
  const shown = (await node.quotas('red').getQuota({ name: RED_QUOTA })).quota;
  t.deepEqual(
    shown?.status?.uses.map((one) => [
      one.resourceType,
      one.limited,
      one.limit,
      one.used,
      one.peak,
    ]),
    [
      [CPU, true, 4n, 3n, 3n],
      [MEMORY, false, 0n, 1n, 1n],
    ],
  );
});

test('a project in another counts against both, and is listed to those who may see it', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const quotas = node.quotas('admin');
  await quotas.setQuota(setting(RED_QUOTA, cpus(6n)));
  await refused(t, quotas.setQuota(setting(`${CRIMSON}/quota`, cpus(7n))), {
    kind: 'failed_precondition',
    reason: 'QUOTA_EXCEEDED',
  });
  await quotas.setQuota(setting(`${CRIMSON}/quota`, cpus(5n)));
  await refused(t, quotas.setQuota(setting(RED_QUOTA, cpus(4n))), {
    kind: 'failed_precondition',
    reason: 'IN_USE',
  });
  await node.claims('crimson').createClaim(claimRequest('a', { cpus: 4, parent: CRIMSON }));
  const over = await refused(t, node.claims('red').createClaim(claimRequest('b', { cpus: 3 })), {
    kind: 'resource_exhausted',
    reason: 'QUOTA_EXCEEDED',
  });
  t.is(over.metadata.used, '4');
  const names = async (token: string, parent: string) =>
    (await node.quotas(token).listQuotas({ parent })).quotas.map(({ name }) => name);
  const all = [`${CRIMSON}/quota`, RED_QUOTA];
  t.deepEqual(await names('admin', 'partitions/lab/projects/-'), all);
  t.deepEqual(await names('crimson', 'partitions/-/projects/-'), [`${CRIMSON}/quota`]);
  const first = await quotas.listQuotas({ parent: 'partitions/-/projects/-', pageSize: 1 });
  const second = await quotas.listQuotas({
    parent: 'partitions/-/projects/-',
    pageSize: 1,
    pageToken: first.nextPageToken,
  });
  t.deepEqual(
    [...first.quotas, ...second.quotas].map(({ name }) => name),
    all,
  );
  t.is(second.nextPageToken, '');
  const crimson = first.quotas[0]?.status?.uses.find(({ resourceType }) => resourceType === CPU);
  t.is(crimson?.used, 4n);
});

test('only who runs the partition sets quotas; users inside a project its admin limits', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  await refused(t, node.quotas('red-admin').setQuota(setting(RED_QUOTA, cpus(100n))), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
  await refused(t, node.quotas('red').setQuota(setting(RED_QUOTA, cpus(100n))), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
  const limits = [{ resourceType: CPU, amount: 2n }];
  const users = { name: RED_QUOTA, users: [{ user: 'users/red', limits }], requestId: newId() };
  const { quota } = await node.quotas('red-admin').setUserQuotas(users);
  t.deepEqual(
    quota?.spec?.users.map(({ user }) => user),
    ['users/red'],
  );
  t.is((await node.quotas('red-admin').setUserQuotas(users)).quota?.generation, 1n);
  const over = await refused(t, node.claims('red').createClaim(claimRequest('a', { cpus: 3 })), {
    kind: 'resource_exhausted',
    reason: 'QUOTA_EXCEEDED',
  });
  t.is(over.metadata.user, 'users/red');
  await node.claims('red-admin').createClaim(claimRequest('a', { cpus: 3 }));
  await node.quotas('admin').setQuota(setting(RED_QUOTA, cpus(8n)));
  const after = await node.quotas('red').getQuota({ name: RED_QUOTA });
  t.is(after.quota?.spec?.users.length, 1, 'who sets the quota leaves the users as they are');
});

test('what is wrong with a quota is named', async (t) => {
  const { node } = await startScheduler(t);
  const quotas = node.quotas('admin');
  const invalid = (spec: MessageInitShape<typeof QuotaSpecSchema>, reason = 'INVALID_FIELD') =>
    refused(t, quotas.setQuota(setting(RED_QUOTA, spec)), { kind: 'invalid_argument', reason });
  const twice = [...cpus(1n).limits, ...cpus(2n).limits];
  t.regex((await invalid({ limits: twice })).message, /limits\[1\]\.resource_type/);
  await invalid(cpus(2n ** 60n));
  await invalid(
    { limits: [{ resourceType: 'nobody.knows', amount: 1n }] },
    'UNKNOWN_RESOURCE_TYPE',
  );
  await invalid({
    claimLengthDefault: durationFromMs(2_000),
    claimLengthMax: durationFromMs(1_000),
  });
  await invalid({ claimLengthMax: { seconds: 2n ** 50n, nanos: 0 } });
  await invalid({ claimLengthDefault: { seconds: 0n, nanos: 1 } });
  const nowhere = 'partitions/lab/projects/nobody/quota';
  await refused(t, quotas.getQuota({ name: nowhere }), { kind: 'not_found', reason: 'NOT_FOUND' });
  await refused(t, node.quotas('blue').getQuota({ name: RED_QUOTA }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
  const { quota } = await quotas.setQuota(setting(RED_QUOTA, cpus(1n)));
  const stale = { kind: 'aborted', reason: 'ETAG_MISMATCH' } as const;
  await refused(t, quotas.setQuota(setting(RED_QUOTA, cpus(2n), { etag: 'other' })), stale);
  await refused(t, quotas.setQuota(setting(RED_QUOTA, cpus(2n), { generation: 7n })), stale);
  const etag = quota?.etag ?? '';
  const next = await quotas.setQuota(setting(RED_QUOTA, cpus(2n), { etag, generation: 1n }));
  t.is(next.quota?.generation, 2n);
});

test('a claim without an end gets the default of its project, and none is longer than allowed', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const spec = {
    claimLengthDefault: durationFromMs(60_000),
    claimLengthMax: durationFromMs(90_000),
  };
  await node.quotas('admin').setQuota(setting(RED_QUOTA, spec));
  const { claim } = await node.claims('red').createClaim(claimRequest('a'));
  const { acquireTime, releaseTime } = claim?.spec ?? {};
  t.is((releaseTime?.seconds ?? 0n) - (acquireTime?.seconds ?? 0n), 60n);
  // Who runs the partition too, because there is a longest one.
  const { spec: own } = (await node.claims('admin').createClaim(claimRequest('b'))).claim ?? {};
  t.is((own?.releaseTime?.seconds ?? 0n) - (own?.acquireTime?.seconds ?? 0n), 60n);
  const end = { seconds: (acquireTime?.seconds ?? 0n) + 91n, nanos: 0 };
  const name = claim?.name ?? '';
  await refused(t, node.claims('red').extendClaim({ name, releaseTime: end, requestId: newId() }), {
    kind: 'failed_precondition',
    reason: 'CLAIM_TOO_LONG',
  });
});

test('quotas survive the leader, and every replica sets and shows them', async (t) => {
  const { nodes, addHost } = await startScheduler(t, { replicas: 2 });
  await addHost({ id: 'host-1' });
  const [first, second] = nodes;
  if (first === undefined || second === undefined) throw new Error('Two replicas were asked for');
  await first.quotas('admin').setQuota(setting(RED_QUOTA, cpus(2n)));
  await second.quotas('admin').setQuota(setting(RED_QUOTA, cpus(3n), { generation: 1n }));
  await second.claims('red').createClaim(claimRequest('a', { cpus: 3 }));
  for (const node of nodes) {
    const { quota } = await node.quotas('red').getQuota({ name: RED_QUOTA });
    t.is(quota?.generation, 2n);
    t.is(quota?.status?.uses[0]?.used, 3n);
  }
  await first.stop();
  await refused(t, second.claims('red').createClaim(claimRequest('b')), {
    kind: 'resource_exhausted',
    reason: 'QUOTA_EXCEEDED',
  });
});

test('without a leader a quota is still shown, as far as it is known', async (t) => {
  const { node, addHost, coordination } = await startScheduler(t, {
    config: { leaderWaitMs: 4_000 },
  });
  await addHost({ id: 'host-1' });
  await node.quotas('admin').setQuota(setting(RED_QUOTA, cpus(4n)));
  await node.claims('red').createClaim(claimRequest('a', { cpus: 3 }));
  // Somebody else holds the key who does not answer.
  const key = 'partitions/lab/leader';
  for (const write of [{ delete: key }, { put: key, value: Buffer.from('node-9') }]) {
    await coordination.transact({ compare: [], writes: [write] }, AbortSignal.timeout(60_000));
    await coordination.transact(
      { compare: [], writes: [{ put: key, value: Buffer.from(node.address) }] },
      AbortSignal.timeout(60_000),
    );
  }
  await eventually(async () => {
    const asked = node.quotas('admin').setQuota(setting(RED_QUOTA, cpus(5n)));
    const answer = await asked.catch(domainErrorOf);
    return isDomainError(answer, 'unavailable', 'NO_LEADER');
  });
  const { quota } = await node.quotas('red').getQuota({ name: RED_QUOTA });
  t.is(quota?.generation, 1n);
  t.is(quota?.status?.uses.find(({ resourceType }) => resourceType === CPU)?.used, 3n);
});

test('quotas are set and shown while nobody tells where claims could be placed', async (t) => {
  const log = silentLog;
  const coordination = openEmbeddedCoordination({
    file: ':memory:',
    clock: systemClock,
    random: systemRandom,
    log,
  });
  t.teardown(() => coordination.close());
  const first = await startScheduler(t, { coordination });
  await first.node.quotas('admin').setQuota(setting(RED_QUOTA, {}));
  await first.node.stop();
  const { node } = await startScheduler(t, { coordination, isAway: true });
  const spec = { claimLengthMax: durationFromMs(3_600_000) };
  const { quota } = await node.quotas('admin').setQuota(setting(RED_QUOTA, spec));
  t.is(quota?.generation, 2n);
  const users = { name: RED_QUOTA, users: [], requestId: newId() };
  t.is((await node.quotas('red-admin').setUserQuotas(users)).quota?.generation, 3n);
  const shown = (await node.quotas('red').getQuota({ name: RED_QUOTA })).quota;
  t.is(shown?.generation, 3n);
});
