/** What owners of claims are told: each occurrence once, over restarts and replicas. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { EventSeverity } from '../../gen/runmachine/machine/v1/event_pb.ts';
import {
  AllocationSchema,
  type Claim,
  ClaimEnd,
  ClaimSchema,
  ClaimState,
  type ClaimStatusSchema,
} from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
import { clientsOf, PROJECT, type Site, startSite } from './machine-fixture.ts';

const END_MS = Date.parse('2030-01-02T03:04:05Z');

const as = (site: Site, token: string, at = 0) => {
  const replica = site.replicas[at];
  if (replica === undefined) throw new Error('no replica');
  return clientsOf(replica.asPerson(token));
};

const addClaim = (
  site: Site,
  status: MessageInitShape<typeof ClaimStatusSchema>,
  id = 'mine',
): Claim => {
  const { provider } = site.neighbours;
  const claim = create(ClaimSchema, {
    name: `${PROJECT}/claims/${id}`,
    uid: systemRandom.uid(),
    createTime: timestampFromMs(Date.parse('2026-01-01')),
    spec: { releaseTime: timestampFromMs(END_MS) },
    status: {
      state: ClaimState.ACTIVE,
      owner: 'users/ann',
      allocations: [
        create(AllocationSchema, {
          group: 'main',
          providerUid: provider.uid,
          provider: provider.name,
          resourceType: 'runm.memory',
          amount: 1n,
        }),
      ],
      ...status,
    },
  });
  site.neighbours.claims.set(claim.name, claim);
  site.neighbours.tellClaim();
  return claim;
};

const change = (site: Site, claim: Claim, status: Partial<NonNullable<Claim['status']>>): void => {
  if (claim.status !== undefined) Object.assign(claim.status, status);
  site.neighbours.tellClaim();
};

const newsOf = async (site: Site, claim: Claim, at = 0) => {
  const asked = { parent: PROJECT, targetUid: claim.uid };
  return (await as(site, 'red', at).events.listEvents(asked)).events;
};

/** Waits for that many, then for the next look, so that one too many would be seen. */
const newsAre = async (site: Site, claim: Claim, types: readonly string[]) => {
  await eventually(async () => (await newsOf(site, claim)).length >= types.length, {
    message: types.join(),
  });
  site.neighbours.tellClaim();
  const seen = site.neighbours.looks();
  await eventually(() => site.neighbours.looks() > seen);
  return (await newsOf(site, claim)).map(({ type }) => type.replace('claim.', ''));
};

test('the life of a claim is told once, however often it is seen', async (t) => {
  await using site = await startSite();
  const claim = addClaim(site, { warnTime: timestampFromMs(END_MS - 3_600_000) });
  t.deepEqual(await newsAre(site, claim, ['ending']), ['ending']);
  const [ending] = await newsOf(site, claim);
  t.is(ending?.severity, EventSeverity.WARNING);
  t.is(ending?.target, claim.name);
  t.regex(ending?.message ?? '', /ends at 2030-01-02T03:04:05Z.*runm claim extend mine/);
  t.deepEqual(ending?.data, { owner: 'users/ann', release_time: '2030-01-02T03:04:05Z' });
  // Extended: the same warning for another end is another one.
  if (claim.spec !== undefined) claim.spec.releaseTime = timestampFromMs(END_MS + 1_000);
  site.neighbours.tellClaim();
  t.deepEqual(await newsAre(site, claim, ['ending', 'ending']), ['ending', 'ending']);
  change(site, claim, { state: ClaimState.RELEASING, end: ClaimEnd.EXPIRED });
  const all = ['ending', 'ending', 'expired', 'released'];
  t.deepEqual(await newsAre(site, claim, all), all);
  const last = (await newsOf(site, claim)).at(-1);
  t.is(last?.data.end, 'expired');
  t.is(last?.time?.seconds, 0n, 'it is over when the last provider was given back');
});

test('a claim at risk is told with its cause, and again when it is at risk again', async (t) => {
  await using site = await startSite();
  const problem = (seconds: number) => ({
    $typeName: 'runmachine.common.v1.Problem' as const,
    reason: 'PROVIDER_HELD',
    message: 'metal-1 is still held by another',
    since: timestampFromMs(seconds * 1_000),
  });
  const claim = addClaim(site, { state: ClaimState.AT_RISK, problem: problem(100) });
  t.deepEqual(await newsAre(site, claim, ['at_risk']), ['at_risk']);
  const [risk] = await newsOf(site, claim);
  t.is(risk?.severity, EventSeverity.ERROR);
  t.regex(risk?.message ?? '', /metal-1 is still held by another/);
  t.is(risk?.time?.seconds, 100n);
  change(site, claim, { state: ClaimState.PENDING, replacements: 1 });
  t.deepEqual(await newsAre(site, claim, ['at_risk', 'replaced']), ['at_risk', 'replaced']);
  change(site, claim, { state: ClaimState.AT_RISK, problem: problem(200), replacements: 2 });
  const all = ['at_risk', 'replaced', 'at_risk', 'replaced'];
  t.deepEqual(await newsAre(site, claim, all), all);
});

test('a replica that takes over tells nothing twice and misses nothing', async (t) => {
  await using site = await startSite({ replicas: 2 });
  const claim = addClaim(site, { warnTime: timestampFromMs(END_MS - 3_600_000) });
  await eventually(async () => (await newsOf(site, claim)).length === 1);
  // Whichever of the two sweeps: both are replaced, one after the other.
  await site.replicas[0]?.stop();
  change(site, claim, { replacements: 1 });
  await eventually(async () => (await newsOf(site, claim, 1)).length === 2);
  const third = await site.add();
  await site.replicas[1]?.stop();
  change(site, claim, { state: ClaimState.RELEASED, end: ClaimEnd.RELEASED });
  const told = async () =>
    (
      await clientsOf(third.asPerson('red')).events.listEvents({
        parent: PROJECT,
        targetUid: claim.uid,
      })
    ).events.map(({ type }) => type);
  await eventually(async () => (await told()).length >= 3);
  t.deepEqual(await told(), ['claim.ending', 'claim.replaced', 'claim.released']);
});

test('a claim of which there is nothing to tell makes no events', async (t) => {
  await using site = await startSite();
  const quiet = addClaim(site, {});
  const loud = addClaim(site, { replacements: 1 }, 'other');
  t.deepEqual(await newsAre(site, loud, ['replaced']), ['replaced']);
  t.deepEqual(await newsOf(site, quiet), []);
});
