/** Lists with filters, allocations, usage, and reads of one's own writes. */

import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { GroupKind } from '../../gen/runmachine/common/v1/group_kind_pb.ts';
import { ProviderGroupSchema } from '../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { ClaimState } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { UsageKey } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import {
  claimRequest,
  type Fixture,
  type Node,
  openProvider,
  RED,
  startScheduler,
} from './scheduler-fixture.ts';
import { CPU, hostOf, MEMORY } from './scheduler-neighbours.ts';

const BLUE = 'partitions/lab/projects/blue';
const ALL = 'partitions/-/projects/-';
const HOUR_MS = 3_600_000;
const newId = () => systemRandom.requestId();

type Wish = {
  readonly cpus?: number;
  readonly parent?: string;
  readonly consumerUid?: string;
  readonly consumerType?: string;
  readonly tags?: readonly string[];
  readonly acquireMs?: number;
  readonly releaseMs?: number;
  readonly token?: string;
};

const claim = async (node: Node, id: string, wish: Wish = {}) => {
  const { parent = RED, token = 'red' } = wish;
  const request = claimRequest(id, { cpus: wish.cpus ?? 1, parent });
  const { spec } = request.claim;
  const answer = await node.claims(token).createClaim({
    ...request,
    claim: {
      tags: [...(wish.tags ?? [])],
      spec: {
        ...spec,
        ...(wish.consumerUid !== undefined && {
          consumer: { type: wish.consumerType ?? 'runm.machine', uid: wish.consumerUid, name: id },
        }),
        ...(wish.acquireMs !== undefined && { acquireTime: timestampFromMs(wish.acquireMs) }),
        ...(wish.releaseMs !== undefined && { releaseTime: timestampFromMs(wish.releaseMs) }),
      },
    },
  });
  if (answer.claim === undefined) throw new Error('There is no claim in the answer');
  return answer.claim;
};

const idOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

const end = async (node: Node, name: string, providerUid: string) => {
  await node.claims('admin').beginRelease({ name, requestId: newId() });
  await node.asMachine.claims.finishRelease({ name, providerUid, requestId: newId() });
};

test('a list shows what meets its filter, by pages', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  const host = await addHost({ id: 'host-1', cpus: 16 });
  const consumerUid = newId();
  await claim(node, 'web', { consumerUid, tags: ['blue'] });
  await claim(node, 'app', { tags: ['blue', 'x'] });
  await claim(node, 'later', { acquireMs: clock.now().getTime() + HOUR_MS });
  const gone = await claim(node, 'gone');
  await end(node, gone.name, host.uid);
  const list = async (filter: object, pageSize = 1): Promise<readonly string[]> => {
    const found: string[] = [];
    for (let pageToken = ''; ; ) {
      const request = { parent: ALL, filter, pageSize, pageToken };
      const page = await node.claims('red').listClaims(request);
      found.push(...page.claims.map(({ name }) => idOf(name)));
      pageToken = page.nextPageToken;
      if (pageToken === '') return found;
    }
  };
  t.deepEqual(await list({}), ['app', 'gone', 'later', 'web']);
  t.deepEqual(await list({ tag: 'blue' }), ['app', 'web']);
  t.deepEqual(await list({ states: [ClaimState.PENDING, ClaimState.RELEASED] }), ['gone', 'later']);
  t.deepEqual(await list({ consumerUid: consumerUid.toUpperCase() }), ['web']);
  t.deepEqual(await list({ consumerUid, tag: 'x' }), []);
  t.deepEqual(await list({ providerUid: host.uid }), ['app', 'later', 'web'], 'what it holds');
  t.deepEqual(await list({ providerUid: host.uid, states: [ClaimState.ACTIVE] }), ['app', 'web']);
  t.deepEqual(await list({ providerUid: newId() }), []);
  const [own] = (await node.claims('blue').listClaims({ parent: ALL, filter: { tag: 'blue' } }))
    .claims;
  t.is(own, undefined, 'of other projects nothing is shown');
});

test('a read with a revision holds what was written, wherever it is asked', async (t) => {
  const { nodes, addHost } = await startScheduler(t, { replicas: 2 });
  await addHost({ id: 'host-1', cpus: 32 });
  const [first, second] = nodes;
  if (first === undefined || second === undefined) throw new Error('Two replicas are needed');
  for (let at = 0; at < 10; at += 1) {
    const [writer, reader] = at % 2 === 0 ? [first, second] : [second, first];
    const made = await claim(writer, `c${at}`);
    const minRevision = made.status?.revision ?? 0n;
    const { name } = made;
    const read = await reader.claims('red').getClaim({ name, minRevision });
    t.deepEqual(read.claim, made);
    const list = await reader.claims('red').listClaims({ parent: RED, minRevision });
    t.is(list.claims.length, at + 1);
  }
  const never = first
    .claims('red')
    .getClaim({ name: `${RED}/claims/c0`, minRevision: 1n << 60n }, { timeoutMs: 10_000 });
  await refused(t, never, { kind: 'unavailable', reason: 'REVISION_NOT_REACHED' });
});

type ListWish = {
  readonly parent?: string;
  readonly providerUid?: string;
  readonly consumerUid?: string;
  readonly providerGroup?: string;
  readonly fromMs?: number;
  readonly untilMs?: number;
  readonly token?: string;
  readonly pageSize?: number;
};

const allocations = async ({ node }: Fixture, wish: ListWish): Promise<readonly string[]> => {
  const { fromMs, untilMs, token = 'admin', pageSize = 2, parent = ALL, ...rest } = wish;
  const found: string[] = [];
  for (let pageToken = ''; ; ) {
    const page = await node.claims(token).listAllocations({
      ...rest,
      parent,
      pageSize,
      pageToken,
      ...(fromMs !== undefined && { from: timestampFromMs(fromMs) }),
      ...(untilMs !== undefined && { until: timestampFromMs(untilMs) }),
    });
    for (const { claim: name, allocation } of page.allocations) {
      found.push(`${allocation?.provider.at(-1)} ${idOf(name)} ${allocation?.resourceType}`);
    }
    pageToken = page.nextPageToken;
    if (pageToken === '') return found;
  }
};

const both = (...words: readonly string[]): readonly string[] =>
  words.flatMap((word) => [`${word} ${CPU}`, `${word} ${MEMORY}`]);

test('allocations are listed by provider and begin, of whom and when one asks for', async (t) => {
  const fixture = await startScheduler(t);
  const { node, neighbours, clock } = fixture;
  const hosts = ['1', '2', '3'].map((id) => {
    const host = hostOf({ id: `host-${id}`, uid: `0000000${id}-0000-4000-8000-000000000000` });
    if (id !== '3') host.spec?.groups.push('Rack1');
    return host;
  });
  const name = (id: string) => `partitions/lab/groups/${id}`;
  const [row, rack] = [newId(), newId()];
  neighbours.tellGroup(
    create(ProviderGroupSchema, { name: name('row'), uid: row, spec: { kind: GroupKind.ROW } }),
  );
  const spec = { kind: GroupKind.RACK, parentGroup: 'row' };
  neighbours.tellGroup(create(ProviderGroupSchema, { name: name('rack1'), uid: rack, spec }));
  const consumerUid = newId();
  const nowMs = clock.now().getTime();
  // One host at a time is open, so that it is known where each claim is.
  for (const [at, host] of hosts.entries()) {
    neighbours.tell(host);
    await openProvider(node, host);
    if (at === 0) {
      await claim(node, 'late', { acquireMs: nowMs + HOUR_MS, releaseMs: nowMs + 2 * HOUR_MS });
      await claim(node, 'web', { consumerUid });
    } else if (at === 1) await claim(node, 'app', { parent: BLUE, token: 'blue' });
    else {
      const gone = await claim(node, 'gone');
      await end(node, gone.name, host.uid);
    }
    await openProvider(node, host, true);
  }
  const everything = both('1 web', '1 late', '2 app', '3 gone');
  for (const pageSize of [1, 2, 3, 100]) {
    t.deepEqual(await allocations(fixture, { pageSize }), everything);
  }
  t.deepEqual(await allocations(fixture, { token: 'blue' }), both('2 app'));
  t.deepEqual(await allocations(fixture, { parent: RED }), both('1 web', '1 late', '3 gone'));
  const [first] = hosts;
  t.deepEqual(
    await allocations(fixture, { providerUid: first?.uid ?? '' }),
    both('1 web', '1 late'),
  );
  t.deepEqual(await allocations(fixture, { consumerUid }), both('1 web'));
  t.deepEqual(
    await allocations(fixture, { providerGroup: 'RACK1' }),
    both('1 web', '1 late', '2 app'),
  );
  t.deepEqual(await allocations(fixture, { providerGroup: 'row', parent: BLUE }), both('2 app'));
  const from = { fromMs: nowMs + 90 * 60_000, untilMs: nowMs + 95 * 60_000 };
  t.deepEqual(await allocations(fixture, from), both('1 web', '1 late', '2 app'));
  const after = { fromMs: nowMs + 2 * HOUR_MS };
  t.deepEqual(await allocations(fixture, after), both('1 web', '2 app'), 'touching is not overlap');
  await refused(t, allocations(fixture, { providerGroup: 'nowhere' }), {
    kind: 'invalid_argument',
    reason: 'UNKNOWN_GROUP',
  });
  await refused(t, allocations(fixture, { fromMs: 5, untilMs: 5 }), {
    kind: 'invalid_argument',
    reason: 'INVALID_FIELD',
  });
});

test('usage is summed from present and past claims, each once', async (t) => {
  const { node, addHost, clock } = await startScheduler(t, {
    config: { everyMs: 50, endedRetentionMs: 60_000 },
  });
  const host = await addHost({ id: 'host-1', cpus: 16 });
  const startMs = clock.now().getTime();
  await claim(node, 'web', { cpus: 3, consumerUid: newId() });
  const gone = await claim(node, 'gone', { cpus: 2 });
  await claim(node, 'app', { cpus: 4, parent: BLUE, token: 'blue' });
  clock.shift(10_000_000);
  await end(node, gone.name, host.uid);
  clock.shift(10_000_000);
  const report = async (token: string, keys: readonly UsageKey[], untilMs?: number) => {
    const { rows } = await node.claims(token).reportUsage({
      parent: ALL,
      from: timestampFromMs(startMs - HOUR_MS),
      ...(untilMs !== undefined && { until: timestampFromMs(untilMs) }),
      keys: [...keys],
    });
    return rows.filter(({ resourceType }) => resourceType === CPU);
  };
  // The seconds that the test itself takes are few beside the shifts.
  const thousands = (seconds: string | undefined): number =>
    Math.round(Number(seconds) / 1_000 / 10) * 10;
  const check = async () => {
    const [red, ...others] = await report('red', []);
    t.deepEqual(others, []);
    t.is(red?.project, 'red');
    t.is(red?.claims, 2);
    t.is(red?.amountAtEnd, 3n);
    t.is(red?.amountPeak, 5n);
    t.is(thousands(red?.amountSeconds), 3 * 20 + 2 * 10);
    const byUser = await report('admin', [UsageKey.USER, UsageKey.CONSUMER_TYPE]);
    t.deepEqual(
      byUser.map((row) => [row.project, row.user, row.consumerType, thousands(row.amountSeconds)]),
      [
        ['', 'users/blue', 'none', 80],
        ['', 'users/red', 'none', 20],
        ['', 'users/red', 'runm.machine', 60],
      ],
    );
    const [early] = await report('red', [UsageKey.PROJECT], startMs + 5_000_000);
    t.is(early?.amountAtEnd, 5n);
  };
  await check();
  clock.shift(100_000);
  await eventually(
    async () => {
      const { claims } = await node.claims('red').listClaims({ parent: RED });
      return claims.length === 1;
    },
    { message: 'the ended claim is forgotten' },
  );
  await check();
  const future = node.claims('red').reportUsage({ parent: ALL, from: timestampFromMs(4e12) });
  await refused(t, future, { kind: 'invalid_argument', reason: 'INVALID_FIELD' });
});

test('what is free now and over a window is listed per provider', async (t) => {
  const { node, addHost, clock } = await startScheduler(t);
  const host = await addHost({ id: 'host-1', cpus: 8 });
  const nowMs = clock.now().getTime();
  await claim(node, 'now', { cpus: 2 });
  await claim(node, 'later', {
    cpus: 5,
    acquireMs: nowMs + HOUR_MS,
    releaseMs: nowMs + 2 * HOUR_MS,
  });
  const free = async (fromMs?: number, untilMs?: number) => {
    const { usages } = await node.asMachine.capacity.listUsage({
      parent: 'partitions/lab',
      ...(fromMs !== undefined && { from: timestampFromMs(fromMs) }),
      ...(untilMs !== undefined && { until: timestampFromMs(untilMs) }),
    });
    t.deepEqual(
      usages.map(({ providerUid }) => providerUid),
      [host.uid],
    );
    const cpu = usages[0]?.resources.find(({ resourceType }) => resourceType === CPU);
    t.is(cpu?.used, 2n, 'what is used is used now, whatever the window');
    return cpu?.free;
  };
  t.is(await free(), 6n);
  t.is(await free(nowMs, nowMs + HOUR_MS), 6n, 'what begins at its end is not in the window');
  t.is(await free(nowMs, nowMs + HOUR_MS + 1), 1n);
  t.is(await free(nowMs + 2 * HOUR_MS), 6n);
  const backwards = free(nowMs + HOUR_MS, nowMs + HOUR_MS);
  await refused(t, backwards, { kind: 'invalid_argument', reason: 'INVALID_FIELD' });
});
