/** What callers meet while etcd is away: no promise, an early word, and reads that go on. */
import type { ExecutionContext } from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { domainErrorOf } from '../../services/runtime/rpc/error-reading.ts';
import { needs } from '../needs.ts';
import { slot } from '../slot.ts';
import { readStored } from '../support/claim-checker/stored.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { claimRequest, type Fixture, RED, startScheduler } from './scheduler-fixture.ts';

const need = needs('etcd');
const test = need.test;

const LEASE_MS = 6_000;
const LEADER_WAIT_MS = 3_000;
/** What a loaded machine may add. */
const SLACK_MS = 30_000;

type Absence = {
  readonly begin: (etcd: TestEtcd) => Promise<void>;
  readonly end: (etcd: TestEtcd) => Promise<void>;
};

const away = test.macro({
  exec: async (t: ExecutionContext, { begin, end }: Absence) => {
    using _slot = await slot('database');
    t.timeout(240_000);
    await using etcd = await startEtcd(need.program('etcd'));
    const coordination = etcd.open({ callTimeoutMs: 3_000 });
    const config = { leaseTtlMs: LEASE_MS, leaderWaitMs: LEADER_WAIT_MS };
    const fixture = await startScheduler(t, { replicas: 2, coordination, config });
    await fixture.addHost({ id: 'host-1', cpus: 64 });
    const { node } = fixture;
    const { claim } = await node.claims('red').createClaim(claimRequest('before'));
    const revision = claim?.status?.revision ?? 0n;
    for (const one of fixture.nodes) await readOn(one, { name: claim?.name ?? '', revision });

    await begin(etcd);
    const asked = Array.from({ length: 4 }, (_, at) => claimRequest(`during-${at}`));
    const firstMs = await refusedAll(t, fixture, asked);
    t.true(firstMs <= LEASE_MS + LEADER_WAIT_MS + SLACK_MS, `told after ${firstMs} ms`);
    const laterMs = await refusedAll(t, fixture, asked);
    t.true(laterMs <= LEADER_WAIT_MS + SLACK_MS, `later told after ${laterMs} ms`);
    t.log({ firstMs: Math.round(firstMs), laterMs: Math.round(laterMs) });
    for (const one of fixture.nodes) {
      await readOn(one, { name: claim?.name ?? '', revision });
      // What nobody can have seen is not answered with something older.
      const newer = { name: claim?.name ?? '', minRevision: revision + 1_000_000n };
      await refused(t, one.claims('red').getClaim(newer), {
        kind: 'unavailable',
        reason: 'REVISION_NOT_REACHED',
      });
      await t.throwsAsync(one.service.ready(), undefined, 'it is not ready');
    }

    await end(etcd);
    const listed = await eventually(() => node.claims('red').listClaims({ parent: RED }));
    const names = listed.claims.map(({ name }) => name.split('/').at(-1));
    t.true(names.includes('before'));
    const granted = await Promise.all(asked.map((request) => untilGranted(fixture, request)));
    const { keys } = await coordination.range(
      { prefix: 'partitions/lab/' },
      AbortSignal.timeout(60_000),
    );
    const stored = readStored(keys).claims.map(({ uid }) => uid);
    t.deepEqual(stored.toSorted(), [claim?.uid ?? '', ...granted].toSorted());
    for (const one of fixture.nodes) await eventually(() => one.service.ready().then(() => true));
  },
  title: (name = '') => name,
});

type Node = Fixture['node'];

const readOn = async (
  node: Node,
  { name, revision }: { readonly name: string; readonly revision: bigint },
): Promise<void> => {
  await node.claims('red').getClaim({ name, minRevision: revision });
  const { claims } = await node.claims('red').listClaims({ parent: RED, minRevision: revision });
  if (claims.length === 0) throw new Error('The list is empty');
};

type Request = ReturnType<typeof claimRequest>;

/** All are told to come back, none is promised anything; gives how long the slowest waited. */
const refusedAll = async (
  t: ExecutionContext,
  { nodes, node: first }: Fixture,
  requests: readonly Request[],
): Promise<number> => {
  const beganMs = systemClock.monotonicMs();
  await Promise.all(
    requests.map(async (request, at) => {
      const node = nodes[at % nodes.length] ?? first;
      const thrown = await t.throwsAsync(node.claims('red').createClaim(request));
      const error = domainErrorOf(thrown);
      t.true(isDomainError(error, 'unavailable'), String(thrown));
      t.true((error?.extras.retryAfterMs ?? 0) > 0, `${error?.reason} says when to come back`);
    }),
  );
  return systemClock.monotonicMs() - beganMs;
};

/** Uid of the claim that the repeated request gives. */
const untilGranted = ({ nodes }: Fixture, request: Request): Promise<string> =>
  eventually(
    async () => {
      const node = nodes[Math.floor(systemRandom.fraction() * nodes.length)];
      return (await node?.claims('red').createClaim(request))?.claim?.uid;
    },
    { message: 'a claim after etcd came back' },
  );

test.serial('while etcd is dead nothing is promised and reads go on', away, {
  begin: (etcd) => etcd.kill(),
  end: (etcd) => etcd.restart(),
});

test.serial('while etcd stands still nothing is promised and reads go on', away, {
  begin: (etcd) => etcd.freeze(),
  end: async (etcd) => etcd.thaw(),
});
