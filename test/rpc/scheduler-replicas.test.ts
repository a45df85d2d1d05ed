import { createClient } from '@connectrpc/connect';
import test from 'ava';
import { ClaimService } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { domainErrorOf } from '../../services/runtime/rpc/error-reading.ts';
import { decodeLog } from '../../services/scheduler/domain/record-format.ts';
import { schedulerMigrations } from '../../services/scheduler/store/migrations.ts';
import { openSql } from '../../services/store/sql/open.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { silentLog } from '../support/silent-log.ts';
import { claimRequest, type Fixture, type Node, RED, startScheduler } from './scheduler-fixture.ts';

const soon = () => AbortSignal.timeout(60_000);

const leaderOf = async ({ coordination, nodes }: Fixture): Promise<Node> =>
  eventually(async () => {
    const at = await coordination.get('partitions/lab/leader', soon());
    const address = at === undefined ? '' : Buffer.from(at.value).toString();
    return nodes.find((node) => node.address === address);
  });

test('any replica takes a mutation and reads what it wrote', async (t) => {
  const fixture = await startScheduler(t, { replicas: 2 });
  await fixture.addHost({ id: 'host-1' });
  const request = claimRequest('web');
  const answers = await Promise.all(
    fixture.nodes.map((node) => node.claims('red').createClaim(request)),
  );
  t.is(new Set(answers.map(({ claim }) => claim?.uid)).size, 1, 'one request, one claim');
  const name = `${RED}/claims/web`;
  for (const node of fixture.nodes) {
    t.is((await node.claims('red').getClaim({ name })).claim?.uid, answers[0]?.claim?.uid);
  }
});

test('after the leader is gone the other replica serves and knows its requests', async (t) => {
  const fixture = await startScheduler(t, { replicas: 2 });
  await fixture.addHost({ id: 'host-1', cpus: 4 });
  const leader = await leaderOf(fixture);
  const request = claimRequest('web', { cpus: 3 });
  const { claim } = await leader.claims('red').createClaim(request);
  await leader.stop();
  const other = fixture.nodes.find((node) => node !== leader);
  if (other === undefined) return t.fail();
  const again = await other.claims('red').createClaim(request);
  t.is(again.claim?.uid, claim?.uid);
  await refused(t, other.claims('red').createClaim(claimRequest('more', { cpus: 2 })), {
    kind: 'resource_exhausted',
    reason: 'NO_CAPACITY',
  });
});

test('a relayed call is decided by whom it is for and audited under its own name', async (t) => {
  const fixture = await startScheduler(t, { replicas: 2 });
  const host = await fixture.addHost({ id: 'host-1' });
  const leader = await leaderOf(fixture);
  const other = fixture.nodes.find((node) => node !== leader);
  if (other === undefined) return t.fail();
  const { claim } = await other.claims('red').createClaim(claimRequest('web'));
  const name = claim?.name ?? '';
  await refused(t, other.claims('reader').beginRelease({ name, requestId: systemRandom.uid() }), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
  const release = { name, requestId: systemRandom.requestId() };
  await other.asMachine.claims.beginRelease(release);
  // The same service straight at the leader is the same caller.
  await leader.asMachine.claims.beginRelease(release);
  const finish = { name, providerUid: host.uid, requestId: systemRandom.requestId() };
  await other.asMachine.claims.finishRelease(finish);

  const rows = await eventually(async () => {
    const found = await auditOf(fixture, fixture.nodes.indexOf(leader));
    return found.some(({ action }) => action === 'claim.finish') ? found : undefined;
  });
  const byAction = new Map(rows.map((row) => [row.action, row]));
  t.like(byAction.get('claim.create'), { principal: 'users/red', on_behalf_of: null });
  t.like(byAction.get('claim.release'), { principal: 'services/machine', on_behalf_of: null });
  t.is(byAction.get('claim.finish')?.request_id, finish.requestId);
});

test('only the scheduler is believed for whom it relays', async (t) => {
  const fixture = await startScheduler(t);
  await fixture.addHost({ id: 'host-1' });
  const claims = createClient(ClaimService, fixture.node.ways.asService('inventory'));
  const headers = { 'runm-relayed-for': 'services/machine' };
  await claims.createClaim(claimRequest('web'), { headers });
  const [row] = await eventually(async () => {
    const rows = await auditOf(fixture, 0);
    const created = rows.filter(({ action }) => action === 'claim.create');
    return created.length > 0 ? created : undefined;
  });
  t.is(row?.principal, 'services/inventory');
});

test('without a leader a mutation is told to come back and reads go on', async (t) => {
  const fixture = await startScheduler(t, { config: { leaderWaitMs: 4_000 } });
  const { node, coordination } = fixture;
  await fixture.addHost({ id: 'host-1' });
  await node.claims('red').createClaim(claimRequest('web'));
  // Somebody else holds the key who does not answer.
  await coordination.transact(
    {
      compare: [],
      writes: [{ put: 'partitions/lab/leader', value: Buffer.from('node-9') }],
    },
    soon(),
  );
  await coordination.transact(
    { compare: [], writes: [{ delete: 'partitions/lab/leader' }] },
    soon(),
  );
  await coordination.transact(
    {
      compare: [],
      writes: [{ put: 'partitions/lab/leader', value: Buffer.from(node.address) }],
    },
    soon(),
  );
  await eventually(async () => {
    const asked = node.claims('red').createClaim(claimRequest('more'));
    const answer = await asked.catch(domainErrorOf);
    return isDomainError(answer, 'unavailable', 'NO_LEADER');
  });
  t.is((await node.claims('red').listClaims({ parent: RED })).claims.length, 1);
});

test('without inventory claims are read and released but not made', async (t) => {
  const fixture = await startScheduler(t, { replicas: 1 });
  const host = await fixture.addHost({ id: 'host-1' });
  const { claim } = await fixture.node.claims('red').createClaim(claimRequest('web'));
  const name = claim?.name ?? '';
  fixture.neighbours.setAway(true);
  const release = { name, requestId: systemRandom.requestId() };
  await fixture.node.claims('red').beginRelease(release);
  const finish = { name, providerUid: host.uid, requestId: systemRandom.requestId() };
  const { claim: ended } = await fixture.node.asMachine.claims.finishRelease(finish);
  t.not(ended?.status?.allocations[0]?.finishTime, undefined);
});

test('the log is collected into history and leaves coordination', async (t) => {
  const config = { everyMs: 50, endedRetentionMs: 3_600_000 };
  const fixture = await startScheduler(t, { config });
  const { node, coordination, clock } = fixture;
  const host = await fixture.addHost({ id: 'host-1' });
  const { claim } = await node.claims('red').createClaim(claimRequest('web'));
  const name = claim?.name ?? '';
  await node.claims('red').beginRelease({ name, requestId: systemRandom.requestId() });
  const finish = { name, providerUid: host.uid, requestId: systemRandom.requestId() };
  await node.asMachine.claims.finishRelease(finish);
  const logged = async () => {
    const { keys } = await coordination.range({ prefix: 'partitions/lab/log/' }, soon());
    return keys.map(({ value }) => decodeLog(value).number);
  };
  await eventually(async () => (await logged()).length === 0, { message: 'an empty log' });
  const rows = await auditOf(fixture, 0);
  t.deepEqual(
    rows.map(({ action }) => action),
    ['capacity.set', 'claim.create', 'claim.release', 'claim.finish'],
  );
  t.is(rows[1]?.principal, 'users/red');
  t.is((await node.claims('red').getClaim({ name })).claim?.uid, claim?.uid, 'shown for a while');

  clock.shift(2 * 3_600_000);
  await eventually(async () => {
    const { claims } = await node.claims('red').listClaims({ parent: RED });
    return claims.length === 0;
  });
  const { keys } = await coordination.range({ prefix: 'partitions/lab/claims/' }, soon());
  t.deepEqual(keys, []);
});

type Audit = {
  readonly action: string;
  readonly principal: string;
  readonly on_behalf_of: string | null;
  readonly request_id: string;
};

/** The audit rows of a replica, in their order. */
const auditOf = async ({ sqlUrl, clock }: Fixture, at: number): Promise<readonly Audit[]> => {
  const url = sqlUrl.replace('scheduler-0', `scheduler-${at}`);
  const ours = { clock, random: systemRandom, log: silentLog };
  const schema = { service: 'scheduler', entities: [], migrations: schedulerMigrations };
  // Its replica may be in the midst of a write.
  const store = await eventually(() => openSql({ ...ours, ...schema, url }));
  try {
    return await store.read(({ kysely }) =>
      kysely<{ audit: Audit & { readonly id: number } }>()
        .selectFrom('audit')
        .select(['action', 'principal', 'on_behalf_of', 'request_id'])
        .orderBy('id')
        .execute(),
    );
  } finally {
    await store.close();
  }
};
