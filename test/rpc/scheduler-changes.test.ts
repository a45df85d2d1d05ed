import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { ClaimEnd, ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { claimRequest, type Node, openProvider, startScheduler } from './scheduler-fixture.ts';
import { CPU, hostOf, MEMORY } from './scheduler-neighbours.ts';

const newId = () => systemRandom.requestId();
const HOUR_MS = 3_600_000;
/** Over soon, but not before a busy machine has made the claim and warned of its end. */
const SHORT_MS = 10_000;

/** A claim for the time from now on. */
const claimFor = async (
  node: Node,
  id: string,
  at: { readonly cpus: number; readonly fromMs: number; readonly toMs: number },
) => {
  const request = claimRequest(id, { cpus: at.cpus });
  const window = {
    acquireTime: timestampFromMs(at.fromMs),
    releaseTime: timestampFromMs(at.toMs),
  };
  const spec = { ...request.claim.spec, ...window };
  const { claim } = await node.claims('red').createClaim({ ...request, claim: { spec } });
  if (claim === undefined) throw new Error('No claim was answered');
  return claim;
};

test('a claim lasts longer where nobody is after it, and shorter at any time', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  await addHost({ id: 'host-1', cpus: 4 });
  const nowMs = clock.now().getTime();
  const claims = node.claims('red');
  const first = await claimFor(node, 'a', { cpus: 4, fromMs: nowMs, toMs: nowMs + HOUR_MS });
  const { name } = first;
  const later = { fromMs: nowMs + 3 * HOUR_MS, toMs: nowMs + 4 * HOUR_MS };
  await claimFor(node, 'b', { cpus: 1, ...later });
  const until = (hours: number) => timestampFromMs(nowMs + hours * HOUR_MS);
  const stuck = await refused(
    t,
    claims.extendClaim({ name, releaseTime: until(3.5), requestId: newId() }),
    { kind: 'failed_precondition', reason: 'NOT_EXTENDABLE' },
  );
  t.is(stuck.metadata.until, new Date(nowMs + 3 * HOUR_MS).toISOString());
  await refused(t, claims.extendClaim({ name, requestId: newId() }), {
    kind: 'failed_precondition',
    reason: 'NOT_EXTENDABLE',
  });
  const request = { name, releaseTime: until(3), requestId: newId(), etag: first.etag };
  const { claim } = await claims.extendClaim(request);
  t.deepEqual(claim?.spec?.releaseTime, until(3));
  t.is(claim?.generation, 2n);
  t.deepEqual((await claims.extendClaim(request)).claim, claim, 'the same request does it once');
  await refused(
    t,
    claims.shortenClaim({ name, releaseTime: until(2), requestId: newId(), etag: first.etag }),
    { kind: 'aborted', reason: 'ETAG_MISMATCH' },
  );
  const wrong = { kind: 'invalid_argument', reason: 'INVALID_FIELD' } as const;
  await refused(t, claims.extendClaim({ name, releaseTime: until(2), requestId: newId() }), wrong);
  await refused(t, claims.shortenClaim({ name, releaseTime: until(4), requestId: newId() }), wrong);
  await refused(
    t,
    claims.shortenClaim({ name, releaseTime: until(-1), requestId: newId() }),
    wrong,
  );
  const short = await claims.shortenClaim({ name, releaseTime: until(2), requestId: newId() });
  t.deepEqual(short.claim?.spec?.releaseTime, until(2));
  await claimFor(node, 'c', { cpus: 4, fromMs: nowMs + 2 * HOUR_MS, toMs: later.fromMs });
  await refused(t, node.claims('blue').extendClaim({ name, requestId: newId() }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
});

test('a claim that is being released is neither moved nor given away', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const nowMs = clock.now().getTime();
  const claims = node.claims('red');
  const { name } = await claimFor(node, 'a', { cpus: 1, fromMs: nowMs, toMs: nowMs + HOUR_MS });
  await claims.beginRelease({ name, requestId: newId() });
  const state = { kind: 'failed_precondition', reason: 'INVALID_STATE' } as const;
  await refused(t, claims.extendClaim({ name, requestId: newId() }), state);
  const releaseTime = timestampFromMs(nowMs + HOUR_MS / 2);
  await refused(t, claims.shortenClaim({ name, releaseTime, requestId: newId() }), state);
  const consumer = { type: 'runm.machine', uid: newId(), name: 'm1' };
  await refused(t, claims.transferClaim({ name, consumer, requestId: newId() }), state);
});

test('a claim goes from one consumer to another in one step', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const claims = node.claims('red');
  const { claim: made } = await claims.createClaim(claimRequest('a'));
  const name = made?.name ?? '';
  const [old, next] = ['old', 'new'].map((id) => ({
    type: 'runm.machine',
    uid: newId(),
    name: `machines/${id}`,
  }));
  if (old === undefined || next === undefined) throw new Error('Two consumers are needed');
  const given = await claims.transferClaim({ name, consumer: old, requestId: newId() });
  t.like(given.claim?.spec?.consumer, old);
  await refused(
    t,
    claims.transferClaim({ name, consumer: next, fromConsumerUid: newId(), requestId: newId() }),
    { kind: 'aborted', reason: 'ETAG_MISMATCH' },
  );
  const moved = await claims.transferClaim({
    name,
    consumer: next,
    fromConsumerUid: old.uid,
    requestId: newId(),
    etag: given.claim?.etag ?? '',
  });
  t.like(moved.claim?.spec?.consumer, next);
  t.is(moved.claim?.generation, 3n);
  t.deepEqual(moved.claim?.status?.allocations, made?.status?.allocations);
  t.is(moved.claim?.status?.owner, 'users/red');
});

test('a claim says why it ended', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const nowMs = clock.now().getTime();
  const claims = node.claims('red');
  const soon = { cpus: 1, fromMs: nowMs + HOUR_MS, toMs: nowMs + 2 * HOUR_MS };
  const booked = await claimFor(node, 'a', soon);
  t.is(booked.status?.end, ClaimEnd.UNSPECIFIED);
  const cancelled = await claims.beginRelease({ name: booked.name, requestId: newId() });
  t.is(cancelled.claim?.status?.end, ClaimEnd.CANCELLED);
  const { claim } = await claims.createClaim(claimRequest('b'));
  const released = await claims.beginRelease({ name: claim?.name ?? '', requestId: newId() });
  t.is(released.claim?.status?.end, ClaimEnd.RELEASED);
});

test('an owner is warned, the claim expires, and a booking moves off a closed provider', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  const first = await addHost({ id: 'host-1', cpus: 4 });
  const nowMs = clock.now().getTime();
  const claims = node.claims('red');
  const short = await claimFor(node, 'a', { cpus: 1, fromMs: nowMs, toMs: nowMs + SHORT_MS });
  const statusOf = async (name: string) => (await claims.getClaim({ name })).claim?.status;
  const warned = await eventually(async () => (await statusOf(short.name))?.warnTime, {
    message: 'a warning',
  });
  t.true(Number(warned.seconds) * 1000 < nowMs + SHORT_MS);
  await eventually(async () => (await statusOf(short.name))?.end === ClaimEnd.EXPIRED, {
    message: 'the end',
  });
  const soon = { fromMs: nowMs + HOUR_MS / 2, toMs: nowMs + HOUR_MS };
  const booked = await claimFor(node, 'b', { cpus: 2, ...soon });
  await openProvider(node, first, true);
  await eventually(async () => (await statusOf(booked.name))?.state === ClaimState.AT_RISK, {
    message: 'the risk is told',
  });
  const status = await statusOf(booked.name);
  t.is(status?.problem?.reason, 'PROVIDER_CLOSED');
  const second = await addHost({ id: 'host-2', cpus: 4 });
  clock.shift(2 * 60_000);
  // Any change wakes the leader, which looks at what is at risk once a minute.
  await claims.createClaim(claimRequest('c'));
  const moved = await eventually(
    async () => {
      const now = await statusOf(booked.name);
      return now?.replacements === 1 ? now : undefined;
    },
    { message: 'another place' },
  );
  t.is(moved.state, ClaimState.PENDING);
  t.is(moved.problem, undefined);
  t.deepEqual([...new Set(moved.allocations.map((one) => one.providerUid))], [second.uid]);
});

test('providers are reshaped with the allocations that move', async (t) => {
  const { node, addHost, neighbours } = await startScheduler(t);
  const host = await addHost({ id: 'host-1', cpus: 8, memory: 64 });
  const { claim } = await node.claims('red').createClaim(claimRequest('a', { cpus: 6 }));
  const device = hostOf({ id: 'device-1', cpus: 8, memory: 1 });
  neighbours.tell(device);
  await openProvider(node, device);
  const capacity = (resourceType: string, usable: bigint) => ({
    resourceType,
    usable,
    minUnit: 1n,
    maxUnit: usable,
    stepSize: 1n,
  });
  const shape = (deviceCpus: bigint, uid = claim?.uid ?? '') => ({
    parent: 'partitions/lab',
    requestId: newId(),
    providers: [
      { providerUid: host.uid, inventoryGeneration: 2n, capacities: [capacity(MEMORY, 64n)] },
      {
        providerUid: device.uid,
        inventoryGeneration: 2n,
        capacities: [capacity(CPU, deviceCpus)],
      },
    ],
    moves: [
      { fromProviderUid: host.uid, toProviderUid: device.uid, resourceType: CPU, claimUid: uid },
    ],
  });
  const { capacity: asMachine } = node.asMachine;
  await refused(t, asMachine.reshape(shape(5n)), { kind: 'failed_precondition', reason: 'IN_USE' });
  await refused(t, asMachine.reshape(shape(8n, newId())), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
  await refused(t, node.capacity('admin').reshape(shape(8n)), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
  const request = shape(8n);
  const done = await asMachine.reshape(request);
  t.is(done.claims, 1);
  t.is((await asMachine.reshape(request)).claims, 1, 'the same request does it once');
  const after = await node.claims('red').getClaim({ name: claim?.name ?? '' });
  t.deepEqual(
    after.claim?.status?.allocations.map((one) => [one.providerUid, one.resourceType, one.amount]),
    [
      [host.uid, MEMORY, 1n],
      [device.uid, CPU, 6n],
    ],
  );
  t.is(after.claim?.status?.state, ClaimState.ACTIVE);
  const { usages } = await asMachine.listUsage({ parent: 'partitions/lab' });
  const used = new Map(
    usages.map((one) => [one.providerUid, one.resources.map(({ used: amount }) => amount)]),
  );
  t.deepEqual(used.get(device.uid), [6n]);
  t.deepEqual(used.get(host.uid), [1n]);
});
