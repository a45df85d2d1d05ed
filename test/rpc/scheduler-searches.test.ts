/** Where and when a claim would fit, and why not: looks at the leader that change nothing. */
import { durationFromMs, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { systemRandom } from '../../services/runtime/random.ts';
import { refused } from '../support/rpc-errors.ts';
import { claimRequest, RED, startScheduler } from './scheduler-fixture.ts';
import { CPU, MEMORY } from './scheduler-neighbours.ts';

const HOUR_MS = 3_600_000;
const parent = RED;

const specOf = (
  cpus: number,
  rest: { readonly count?: number; readonly require?: string[] } = {},
) => {
  const { spec } = claimRequest('x', { cpus, require: rest.require ?? [] }).claim;
  return { ...spec, count: rest.count ?? 1 };
};

test('candidates show where a claim could go, and take nothing', async (t) => {
  const { nodes, addHost } = await startScheduler(t, { replicas: 2 });
  const [small, large] = [
    await addHost({ id: 'small', cpus: 4 }),
    await addHost({ id: 'large', cpus: 16, generation: 7 }),
  ];
  // Either replica may lead: the other one asks it.
  for (const node of nodes) {
    const claims = node.claims('red');
    const found = await claims.listClaimCandidates({ parent, spec: specOf(3) });
    t.deepEqual(
      found.candidates.map(({ allocations }) => allocations.map((one) => one.providerUid)),
      [
        [small.uid, small.uid],
        [large.uid, large.uid],
      ],
      'the fullest that still fits comes first',
    );
    const [allocation] = found.candidates[0]?.allocations ?? [];
    t.like(allocation, { group: 'main', index: 0, provider: small.name, resourceType: CPU });
    t.is(allocation?.amount, 3n);
    const its = found.providers.find(({ providerUid }) => providerUid === large.uid);
    t.is(its?.generation, 7n);
    t.deepEqual(
      its?.resources.map(({ resourceType, usable, used }) => [resourceType, usable, used]),
      [
        [CPU, 16n, 0n],
        [MEMORY, 64n, 0n],
      ],
    );
    t.is(
      (await claims.listClaimCandidates({ parent, spec: specOf(3), limit: 1 })).candidates.length,
      1,
    );
    t.deepEqual((await claims.listClaimCandidates({ parent, spec: specOf(17) })).candidates, []);
    t.deepEqual((await claims.listClaims({ parent })).claims, []);
  }
});

test('what a search asks for is judged like a claim', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host' });
  const claims = node.claims('red');
  await refused(t, claims.explainClaim({ parent, spec: specOf(1, { require: ['no.such'] }) }), {
    kind: 'invalid_argument',
    reason: 'UNKNOWN_CAPABILITY',
  });
  const foreign = 'partitions/lab/projects/blue';
  await refused(t, claims.listClaimCandidates({ parent: foreign, spec: specOf(1) }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
  const spec = specOf(1);
  const backwards = { latest: timestampFromMs(0), duration: durationFromMs(HOUR_MS) };
  await refused(t, claims.findWindows({ parent, spec, ...backwards }), {
    kind: 'invalid_argument',
    reason: 'INVALID_FIELD',
  });
  await refused(t, claims.findWindows({ parent, spec, duration: durationFromMs(0) }), {
    kind: 'invalid_argument',
    reason: 'INVALID_FIELD',
  });
});

test('windows are found between what others hold', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  await addHost({ id: 'host', cpus: 4 });
  const claims = node.claims('red');
  const startMs = clock.now().getTime();
  const request = claimRequest('booked', { cpus: 3 });
  const [bookedMs, endMs] = [startMs + 2 * HOUR_MS, startMs + 3 * HOUR_MS];
  const window = { acquireTime: timestampFromMs(bookedMs), releaseTime: timestampFromMs(endMs) };
  await claims.createClaim({
    ...request,
    claim: { spec: { ...request.claim.spec, ...window } },
  });
  const { windows } = await claims.findWindows({
    parent,
    spec: specOf(2),
    duration: durationFromMs(HOUR_MS),
    latest: timestampFromMs(startMs + 10 * HOUR_MS),
  });
  const [first, second] = windows;
  t.is(windows.length, 2);
  const ms = (time: Parameters<typeof timestampMs>[0] | undefined): number =>
    time === undefined ? 0 : timestampMs(time);
  t.true(ms(first?.begin) >= startMs && ms(first?.begin) < startMs + 60_000, 'from now on');
  t.is(ms(first?.latestBegin), bookedMs - HOUR_MS, 'it may end when the other begins');
  t.is(ms(second?.begin), endMs);
  t.is(ms(second?.latestBegin), startMs + 9 * HOUR_MS);
  t.is(first?.providers, 1);
  const all = { parent, spec: specOf(1), duration: durationFromMs(HOUR_MS) };
  t.is((await claims.findWindows(all)).windows.length, 1, 'one of four is always free');
  t.deepEqual((await claims.findWindows({ ...all, spec: specOf(5) })).windows, []);
});

test('an explanation says what each constraint leaves', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'plain', cpus: 4, capabilities: [] });
  await addHost({ id: 'fast', cpus: 2, capabilities: ['cpu.x86.avx2'] });
  const claims = node.claims('red');
  const good = await claims.explainClaim({ parent, spec: specOf(1) });
  t.true(good.fits);
  t.is(good.obstacle, '');
  const bad = await claims.explainClaim({ parent, spec: specOf(4, { require: ['cpu.x86.avx2'] }) });
  t.false(bad.fits);
  const [funnel] = bad.groups;
  t.is(funnel?.group, 'main');
  t.is(funnel?.providers, 2);
  t.is(funnel?.remaining, 0);
  const step = funnel?.steps.find(({ constraint }) => constraint === 'capability cpu.x86.avx2');
  t.is(step?.removed, 1);
  t.is(funnel?.steps.at(-1)?.remaining, 0);
  t.true(funnel?.fitsWithout.includes('capability cpu.x86.avx2'));
  t.true(bad.suggestions.length > 0);
});

test('what a quota forbids does not fit, and the explanation says so', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host', cpus: 8 });
  const limits = [{ resourceType: CPU, amount: 3n }];
  const quota = { name: `${RED}/quota`, spec: { limits } };
  await node.quotas('admin').setQuota({ quota, requestId: systemRandom.requestId() });
  const claims = node.claims('red');
  t.true((await claims.explainClaim({ parent, spec: specOf(3) })).fits);
  const over = await claims.explainClaim({ parent, spec: specOf(4) });
  t.false(over.fits);
  t.regex(over.obstacle, /"red" may hold 3 of runm.cpu.shared/);
  t.is(over.groups[0]?.remaining, 1, 'a provider would do');
  t.deepEqual(over.suggestions, ['3 of runm.cpu.shared instead of 4']);
  const five = await claims.explainClaim({ parent, spec: specOf(2, { count: 5 }) });
  t.deepEqual(five.suggestions, ['1 instead of 5'], 'four have room, and the quota allows one');
});

test('a window is one in which the quota allows the claim, and as long as its project may', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  await addHost({ id: 'host', cpus: 8 });
  const startMs = clock.now().getTime();
  const spec = {
    limits: [{ resourceType: CPU, amount: 3n }],
    claimLengthMax: durationFromMs(4 * HOUR_MS),
  };
  const quota = { name: `${RED}/quota`, spec };
  await node.quotas('admin').setQuota({ quota, requestId: systemRandom.requestId() });
  const claims = node.claims('red');
  const booked = claimRequest('booked', { cpus: 2 });
  const [bookedMs, endMs] = [startMs + 2 * HOUR_MS, startMs + 3 * HOUR_MS];
  const window = { acquireTime: timestampFromMs(bookedMs), releaseTime: timestampFromMs(endMs) };
  await claims.createClaim({ ...booked, claim: { spec: { ...booked.claim.spec, ...window } } });
  const asked = {
    parent,
    duration: durationFromMs(HOUR_MS),
    earliest: timestampFromMs(startMs + HOUR_MS / 2),
    latest: timestampFromMs(startMs + 10 * HOUR_MS),
  };
  const spansOf = async (cpus: number) =>
    (await claims.findWindows({ ...asked, spec: specOf(cpus) })).windows.map((one) =>
      [one.begin, one.latestBegin].map((time) => time && (timestampMs(time) - startMs) / HOUR_MS),
    );
  t.deepEqual(await spansOf(1), [[0.5, 9]]);
  t.deepEqual(await spansOf(2), [
    [0.5, 1],
    [3, 9],
  ]);
  t.deepEqual(await spansOf(4), [], 'never so many');
  const [, second] = (await claims.findWindows({ ...asked, spec: specOf(2) })).windows;
  const later = claimRequest('later', { cpus: 2 });
  const until = { releaseTime: timestampFromMs(endMs + HOUR_MS) };
  const claim = { spec: { ...later.claim.spec, acquireTime: second?.begin, ...until } };
  t.is((await claims.createClaim({ ...later, claim })).claim?.name, `${RED}/claims/later`);
  const long = { ...asked, spec: specOf(1), duration: durationFromMs(5 * HOUR_MS) };
  const refusal = await refused(t, claims.findWindows(long), {
    kind: 'failed_precondition',
    reason: 'CLAIM_TOO_LONG',
  });
  t.is(refusal.metadata.field, 'duration');
});
