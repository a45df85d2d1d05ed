import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { Ranking } from '../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { claimRequest, openProvider, RED, startScheduler } from './scheduler-fixture.ts';
import { CPU, hostOf, MEMORY } from './scheduler-neighbours.ts';

const newId = () => systemRandom.requestId();

test('a claim is made, read by name and uid, released and ended', async (t) => {
  const { node, addHost } = await startScheduler(t);
  const host = await addHost({ id: 'host-1' });
  const claims = node.claims('red');
  const { claim } = await claims.createClaim(claimRequest('Web', { cpus: 3 }));
  t.is(claim?.name, `${RED}/claims/Web`);
  t.is(claim?.status?.state, ClaimState.ACTIVE);
  t.true((claim?.status?.revision ?? 0n) > 0n);
  t.deepEqual(
    claim?.status?.allocations.map((one) => [one.group, one.resourceType, one.amount]),
    [
      ['main', CPU, 3n],
      ['main', MEMORY, 1n],
    ],
  );
  t.is(claim?.status?.allocations[0]?.provider, host.name);
  const byUid = await claims.getClaim({ name: `${RED}/claims/${claim?.uid}` });
  t.deepEqual(byUid.claim, claim);
  const name = `${RED}/claims/wEB`;
  t.is((await claims.getClaim({ name })).claim?.uid, claim?.uid);

  const released = await claims.beginRelease({ name, requestId: newId(), etag: claim?.etag ?? '' });
  t.is(released.claim?.status?.state, ClaimState.RELEASING);
  t.not(released.claim?.status?.releaseBeginTime, undefined);
  const again = await claims.beginRelease({ name, requestId: newId() });
  t.deepEqual(again.claim, released.claim, 'repeating changes nothing');
  const finish = { name, providerUid: host.uid, requestId: newId() };
  const ended = await node.asMachine.claims.finishRelease(finish);
  t.is(ended.claim?.status?.state, ClaimState.RELEASED);
  t.deepEqual((await node.asMachine.claims.finishRelease(finish)).claim, ended.claim);
  const next = await claims.createClaim(claimRequest('Web', { cpus: 8 }));
  t.not(next.claim?.uid, claim?.uid, 'the name is free again');
  t.is((await claims.getClaim({ name })).claim?.uid, next.claim?.uid);
});

test('the same request answers the same claim, another under its id is refused', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const claims = node.claims('red');
  const request = claimRequest('web');
  const answers = await Promise.all([1, 2, 3].map(() => claims.createClaim(request)));
  t.is(new Set(answers.map(({ claim }) => claim?.uid)).size, 1);
  await refused(t, claims.createClaim({ ...request, claimId: 'other' }), {
    kind: 'invalid_argument',
    reason: 'REQUEST_ID_REUSED',
  });
  await refused(t, claims.createClaim(claimRequest('WEB')), {
    kind: 'already_exists',
    reason: 'ALREADY_EXISTS',
  });
});

test('a refusal says what each constraint removed', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1', cpus: 2 });
  await addHost({ id: 'host-2', cpus: 8, capabilities: [] });
  const request = claimRequest('web', { cpus: 4, require: ['vm.qemu'] });
  const error = await refused(t, node.claims('red').createClaim(request), {
    kind: 'resource_exhausted',
    reason: 'NO_CAPACITY',
  });
  t.deepEqual(error.extras.removedBy, { [`${CPU} of 4`]: 1, 'capability vm.qemu': 1 });
  t.regex(error.message, /would fit without/);
});

test('bad requests name what is wrong', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const claims = node.claims('admin');
  const invalid = (reason: string) => ({ kind: 'invalid_argument' as const, reason });
  const good = claimRequest('web');
  const [group] = good.claim.spec.groups;
  const withSpec = (spec: object) => ({
    ...good,
    claim: { spec: { ...good.claim.spec, ...spec } },
  });
  const withType = (resourceType: string) =>
    withSpec({ groups: [{ ...group, resources: [{ resourceType, amount: 1n }] }] });

  const type = await refused(
    t,
    claims.createClaim(withType('runm.nothing')),
    invalid('UNKNOWN_RESOURCE_TYPE'),
  );
  t.is(type.metadata.code, 'runm.nothing');
  await refused(
    t,
    claims.createClaim(claimRequest('web', { require: ['no.such'] })),
    invalid('UNKNOWN_CAPABILITY'),
  );
  const window = {
    acquireTime: timestampFromMs(4e12),
    releaseTime: timestampFromMs(3e12),
  };
  await refused(t, claims.createClaim(withSpec(window)), invalid('WINDOW_INVALID'));
  const far = { releaseTime: { seconds: 9_000_000_000_000n, nanos: 0 } };
  await refused(t, claims.createClaim(withSpec(far)), invalid('INVALID_FIELD'));
  const twice = { groups: [group, group] };
  await refused(t, claims.createClaim(withSpec(twice)), invalid('INVALID_FIELD'));
  const inside = { parentClaim: `${RED}/claims/x` };
  await refused(t, claims.createClaim(withSpec(inside)), invalid('INVALID_FIELD'));
  const anywhere = { ...good, parent: 'partitions/-/projects/red' };
  await refused(t, claims.createClaim(anywhere), invalid('INVALID_FIELD'));
  const missing = { kind: 'not_found' as const, reason: 'NOT_FOUND' };
  await refused(
    t,
    claims.createClaim({ ...good, parent: 'partitions/nowhere/projects/red' }),
    missing,
  );
  await refused(
    t,
    claims.createClaim({ ...good, parent: 'partitions/lab/projects/none' }),
    missing,
  );
  await refused(t, claims.getClaim({ name: `${RED}/claims/none` }), missing);
  t.is((await claims.listClaims({ parent: RED })).claims.length, 0, 'nothing was written');
});

test('checking only writes nothing and refuses what creating would refuse', async (t) => {
  const { node, addHost } = await startScheduler(t);
  const host = await addHost({ id: 'host-1' });
  const claims = node.claims('red');
  const { claim } = await claims.createClaim(claimRequest('web', { validateOnly: true }));
  t.is(claim?.uid, '');
  t.is(claim?.status?.allocations[0]?.providerUid, host.uid);
  t.is((await claims.listClaims({ parent: RED })).claims.length, 0);
  await refused(t, claims.createClaim(claimRequest('web', { validateOnly: true, cpus: 99 })), {
    kind: 'resource_exhausted',
    reason: 'NO_CAPACITY',
  });
});

test('a project sees and releases only its own claims', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const { claim } = await node.claims('red').createClaim(claimRequest('web'));
  const name = claim?.name ?? '';
  const missing = { kind: 'not_found' as const, reason: 'NOT_FOUND' };
  const blue = node.claims('blue');
  await refused(t, blue.getClaim({ name }), missing);
  await refused(t, blue.beginRelease({ name, requestId: newId() }), missing);
  const smuggled = `partitions/lab/projects/blue/claims/${claim?.uid}`;
  await refused(t, blue.getClaim({ name: smuggled }), missing);
  await refused(t, blue.beginRelease({ name: smuggled, requestId: newId() }), missing);
  await refused(t, blue.listClaims({ parent: RED }), missing);
  t.deepEqual((await blue.listClaims({ parent: 'partitions/-/projects/-' })).claims, []);
  await refused(t, blue.createClaim(claimRequest('theirs')), missing);
  await refused(t, node.claims('reader').beginRelease({ name, requestId: newId() }), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
});

test('only services end allocations and set capacity', async (t) => {
  const { node, addHost } = await startScheduler(t);
  const host = await addHost({ id: 'host-1' });
  const { claim } = await node.claims('red').createClaim(claimRequest('web'));
  const denied = { kind: 'permission_denied' as const, reason: 'NOT_ALLOWED' };
  const finish = { name: claim?.name ?? '', providerUid: host.uid, requestId: newId() };
  await refused(t, node.claims('admin').finishRelease(finish), denied);
  const set = { parent: 'partitions/lab', providerUid: host.uid, requestId: newId() };
  await refused(t, node.capacity('admin').setCapacity(set), denied);
  await refused(t, node.asMachine.claims.finishRelease(finish), {
    kind: 'failed_precondition',
    reason: 'INVALID_STATE',
  });
});

test('an etag that is not the present one is refused', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const { claim } = await node.claims('red').createClaim(claimRequest('web'));
  const release = { name: claim?.name ?? '', requestId: newId(), etag: 'older' };
  const error = await refused(t, node.claims('red').beginRelease(release), {
    kind: 'aborted',
    reason: 'ETAG_MISMATCH',
  });
  t.is(error.metadata.etag, claim?.etag);
});

test('lists come in pages in the order of names, each claim once', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1', cpus: 64 });
  const claims = node.claims('red');
  const ids = ['b', 'A', 'c', 'D', 'e'];
  for (const id of ids) await claims.createClaim(claimRequest(id));
  await node
    .claims('blue')
    .createClaim(claimRequest('x', { parent: 'partitions/lab/projects/blue' }));
  const seen: string[] = [];
  for (let pageToken = ''; ; ) {
    const page = await claims.listClaims({
      parent: 'partitions/-/projects/-',
      pageSize: 2,
      pageToken,
    });
    t.true(page.claims.length <= 2);
    seen.push(...page.claims.map(({ name }) => name.split('/').at(-1) ?? ''));
    pageToken = page.nextPageToken;
    if (pageToken === '') break;
    await refused(t, claims.listClaims({ parent: RED, pageToken }), {
      kind: 'invalid_argument',
      reason: 'PAGE_TOKEN_MISMATCH',
    });
  }
  t.deepEqual(seen, ['A', 'b', 'c', 'D', 'e']);
  const all = await node.claims('admin').listClaims({ parent: 'partitions/lab/projects/-' });
  t.is(all.claims.length, 6);
});

test('a window is pending, active and over by the clock alone', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  const host = await addHost({ id: 'host-1' });
  const claims = node.claims('red');
  const startMs = clock.now().getTime() + 60_000;
  const request = claimRequest('later');
  const spec = {
    ...request.claim.spec,
    acquireTime: timestampFromMs(startMs),
    releaseTime: timestampFromMs(startMs + 60_000),
    count: 2,
    ranking: Ranking.SPREAD,
  };
  const { claim } = await claims.createClaim({ ...request, claim: { spec, tags: ['night'] } });
  const name = claim?.name ?? '';
  const state = async () => (await claims.getClaim({ name })).claim?.status?.state;
  t.is(claim?.status?.state, ClaimState.PENDING);
  t.deepEqual(claim?.tags, ['night']);
  clock.shift(60_000);
  t.is(await state(), ClaimState.ACTIVE);
  clock.shift(60_000);
  t.is(await state(), ClaimState.RELEASING);
  // The leader writes it at its next decision.
  await claims.createClaim(claimRequest('nudge'));
  const over = await eventually(
    async () => (await claims.getClaim({ name })).claim?.status?.releaseBeginTime,
    { message: 'the release' },
  );
  t.is(over.seconds, BigInt(Math.floor((startMs + 60_000) / 1000)));
  const finish = { name, providerUid: host.uid, requestId: newId() };
  await node.asMachine.claims.finishRelease(finish);
  t.is(await state(), ClaimState.RELEASED);
});

test('capacity is set for and listed of what is used now', async (t) => {
  const { node, addHost, neighbours } = await startScheduler(t);
  const host = await addHost({ id: 'host-1', cpus: 4 });
  await addHost({ id: 'host-2', cpus: 4 });
  const { claim } = await node.claims('red').createClaim(claimRequest('web', { cpus: 3 }));
  const used = claim?.status?.allocations[0]?.providerUid;
  const listed = await node.capacity('admin').listUsage({ parent: 'partitions/lab' });
  t.is(listed.usages.length, 2);
  const usage = listed.usages.find(({ providerUid }) => providerUid === used);
  const cpus = usage?.resources.find(({ resourceType }) => resourceType === CPU);
  t.deepEqual([cpus?.used, cpus?.usable, usage?.closed], [3n, 4n, false]);
  const first = await node.capacity('admin').listUsage({ parent: 'partitions/lab', pageSize: 1 });
  const { nextPageToken: pageToken } = first;
  const second = await node
    .capacity('admin')
    .listUsage({ parent: 'partitions/lab', pageSize: 1, pageToken });
  const uids = [...first.usages, ...second.usages].map(({ providerUid }) => providerUid);
  t.is(new Set(uids).size, 2);
  t.is(second.nextPageToken, '');

  const smaller = hostOf({ id: 'host-1', uid: used ?? host.uid, cpus: 2, generation: 2 });
  await refused(t, openProvider(node, smaller), { kind: 'failed_precondition', reason: 'IN_USE' });
  const closed = hostOf({ id: 'host-1', uid: used ?? host.uid, cpus: 3, generation: 2 });
  const { revision } = await openProvider(node, closed, true);
  t.true(revision > 0n);
  await refused(t, openProvider(node, { ...closed, generation: 1n }), {
    kind: 'aborted',
    reason: 'ETAG_MISMATCH',
  });
  // A provider that only inventory knows is closed.
  neighbours.tell(hostOf({ id: 'host-3', cpus: 99 }));
  await refused(t, node.claims('red').createClaim(claimRequest('big', { cpus: 5 })), {
    kind: 'resource_exhausted',
    reason: 'NO_CAPACITY',
  });
});
