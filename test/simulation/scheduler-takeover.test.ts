/**
 * Leaders of a partition under lost answers, late requests and sudden ends, on a clock that is
 * moved by hand.
 */
import test from 'ava';
import { decodeClaim, decodeHead } from '../../services/scheduler/domain/record-format.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { withFreezableLeases } from '../contract/coordination-support.ts';
import { type Fate, lossy } from '../support/lossy-coordination.ts';
import { claimOf } from '../support/scheduler-replica.ts';
import { opened, schedulerWorld } from '../support/scheduler-world.ts';
import { CPU, createCommand, groupOf } from '../unit/scheduler/builders.ts';

const LEASE_MS = 1_000;
const never = () => new AbortController().signal;
const soon = () => AbortSignal.timeout(60_000);
const isCommit = (keys: readonly string[]) => keys.some((key) => key.endsWith('/head'));

const storedClaims = async (store: Coordination) => {
  const { keys } = await store.range({ prefix: 'partitions/lab/claims/' }, soon());
  return keys.map(({ value }) => decodeClaim(value));
};

test('a commit whose answer is lost is sent again and recognised by its nonce', async (t) => {
  const fates: Fate[] = [];
  const here = schedulerWorld(t);
  const way = lossy(here.store, (keys) =>
    isCommit(keys) ? (fates.shift() ?? 'delivered') : 'delivered',
  );
  const replica = here.replica('a', { coordination: way.coordination });
  await opened(here, replica);
  const leader = await here.until(replica.leader);
  fates.push('answer-lost', 'request-lost', 'answer-lost');
  const command = createCommand({ id: 'c1' });
  const claim = await here.settle(claimOf(leader, command, never()));
  t.is((await storedClaims(here.store)).length, 1);
  t.is((await here.settle(claimOf(leader, command, never()))).uid, claim.uid);
  t.is(replica.leader(), leader, 'it went on leading');
  t.deepEqual(fates, []);
});

test('a caller who gives up while it is unknown gets the same claim on retry', async (t) => {
  let fate: Fate = 'delivered';
  const here = schedulerWorld(t);
  const way = lossy(here.store, (keys) => (isCommit(keys) ? fate : 'delivered'));
  const replica = here.replica('a', { coordination: way.coordination });
  await opened(here, replica);
  const leader = await here.until(replica.leader);
  fate = 'answer-lost';
  const impatient = new AbortController();
  const command = createCommand({ id: 'c1' });
  const first = claimOf(leader, command, impatient.signal);
  await here.clock.advance(50);
  impatient.abort(new Error('deadline'));
  await t.throwsAsync(here.settle(first), { message: /repeat it with the same request id/ });
  const [stored] = await storedClaims(here.store);
  t.is(replica.follower.partition('lab').claims.size(), 1, 'the watch has brought it');
  fate = 'delivered';
  const again = await here.settle(claimOf(leader, command, never()));
  t.deepEqual([again.uid], [stored?.uid]);
  t.is((await storedClaims(here.store)).length, 1);
});

test('while an outcome is unknown nothing new is decided', async (t) => {
  let fate: Fate = 'delivered';
  const here = schedulerWorld(t);
  const way = lossy(here.store, (keys) => (isCommit(keys) ? fate : 'delivered'));
  const replica = here.replica('a', { coordination: way.coordination });
  await opened(here, replica);
  const leader = await here.until(replica.leader);
  fate = 'request-lost';
  const first = claimOf(leader, createCommand({ id: 'c1' }), never());
  await here.clock.advance(100);
  const second = claimOf(leader, createCommand({ id: 'c2' }), never());
  await here.clock.advance(2_000);
  t.is((await storedClaims(here.store)).length, 0);
  fate = 'delivered';
  const [one, two] = await here.settle(Promise.all([first, second]));
  t.is(two.logNumber, one.logNumber + 1, 'they are two commits');
});

test('a stale leader writes nothing, and a retry at the next one gives one claim', async (t) => {
  let fate: Fate = 'delivered';
  const here = schedulerWorld(t);
  const frozen = withFreezableLeases(here.store);
  const way = lossy(frozen.coordination, (keys) => (isCommit(keys) ? fate : 'delivered'));
  const old = here.replica('old', { coordination: way.coordination });
  await opened(here, old);
  const oldLeader = await here.until(old.leader);
  const next = here.replica('next');

  fate = 'late';
  frozen.freeze();
  const command = createCommand({ id: 'c1', groups: [groupOf({ [CPU]: 4 })] });
  const lost = claimOf(oldLeader, command, never());
  lost.catch(() => undefined);
  const nextLeader = await here.until(next.leader);
  await t.throwsAsync(here.settle(lost), { message: /same request id/ });
  t.is((await storedClaims(here.store)).length, 0);

  t.true(way.lateCount() > 0);
  const before = await way.release();
  t.true(
    before.every(({ succeeded }) => !succeeded),
    'the fence refuses what arrives late',
  );
  const rival = createCommand({ id: 'rival', groups: [groupOf({ [CPU]: 4 })] });
  await here.settle(claimOf(nextLeader, rival, never()));
  const claims = await storedClaims(here.store);
  t.deepEqual(
    claims.map(({ claimId }) => claimId),
    ['rival'],
  );
  await t.throwsAsync(here.settle(claimOf(oldLeader, command, never())), {
    message: /does not lead/,
  });
  frozen.thaw();
});

test('what a leader wrote before it vanished is known to the next one', async (t) => {
  let fate: Fate = 'delivered';
  const here = schedulerWorld(t);
  const frozen = withFreezableLeases(here.store);
  const way = lossy(frozen.coordination, (keys) => (isCommit(keys) ? fate : 'delivered'));
  const old = here.replica('old', { coordination: way.coordination });
  await opened(here, old);
  const oldLeader = await here.until(old.leader);
  const next = here.replica('next');
  fate = 'answer-lost';
  const command = createCommand({ id: 'c1' });
  const lost = claimOf(oldLeader, command, never());
  lost.catch(() => undefined);
  await here.clock.advance(10);
  fate = 'request-lost';
  frozen.freeze();
  const nextLeader = await here.until(next.leader);
  await here.settle(lost.catch(() => undefined));
  const [stored] = await storedClaims(here.store);
  const again = await here.settle(claimOf(nextLeader, command, never()));
  t.deepEqual([again.uid], [stored?.uid]);
  t.is((await storedClaims(here.store)).length, 1);
  frozen.thaw();
});

test('a new leader serves only once it has followed its own election', async (t) => {
  const here = schedulerWorld(t);
  const gate = Promise.withResolvers<void>();
  const slow: Coordination = {
    ...here.store,
    watch: async function* (options) {
      for await (const batch of here.store.watch(options)) {
        if (options.prefix === 'partitions/') await gate.promise;
        yield batch;
      }
    },
  };
  const first = here.replica('first');
  await opened(here, first);
  const second = here.replica('second', { coordination: slow });
  await here.settle(second.follower.ready);
  const leader = await here.until(first.leader);
  await here.settle(claimOf(leader, createCommand({ id: 'c1' }), never()));
  await here.settle(first.stop());
  await here.clock.advance(3 * LEASE_MS);
  const key = await here.store.get('partitions/lab/leader', soon());
  t.is(key === undefined ? '' : Buffer.from(key.value).toString(), 'second', 'it is elected');
  t.is(second.leader(), undefined);
  gate.resolve();
  const next = await here.until(second.leader);
  const rival = createCommand({ id: 'c2', groups: [groupOf({ [CPU]: 4 })] });
  await t.throwsAsync(here.settle(claimOf(next, rival, never())), { message: /Nothing fits/ });
});

test('when the leader goes the other replica serves within its lease', async (t) => {
  const here = schedulerWorld(t);
  const frozen = withFreezableLeases(here.store);
  const first = here.replica('first', { coordination: frozen.coordination });
  await opened(here, first);
  const leader = await here.until(first.leader);
  const command = createCommand({ id: 'c1' });
  const claim = await here.settle(claimOf(leader, command, never()));
  const second = here.replica('second');
  t.is(second.leader(), undefined);
  await here.clock.advance(LEASE_MS);
  t.is(second.seats.addressOf('lab'), 'first');

  frozen.freeze();
  const goneMs = here.clock.monotonicMs();
  const other = await here.until(second.leader);
  const tookMs = here.clock.monotonicMs() - goneMs;
  t.true(tookMs <= 3 * LEASE_MS, `took ${tookMs} ms`);
  t.is(first.leader(), undefined);
  t.is((await here.settle(claimOf(other, command, never()))).uid, claim.uid);
  const more = createCommand({ id: 'c2', groups: [groupOf({ [CPU]: 4 })] });
  await t.throwsAsync(here.settle(claimOf(other, more, never())), { message: /Nothing fits/ });
  frozen.thaw();
});

test('a new leader does not go back behind the time of the last commit', async (t) => {
  const here = schedulerWorld(t);
  const first = here.replica('first');
  await opened(here, first);
  const head = await here.store.get('partitions/lab/head', soon());
  const atMs = head === undefined ? 0 : decodeHead(head.value).atMs;
  await here.settle(first.stop());
  const behind = { ...here.clock, now: () => new Date(atMs - 60_000) };
  const second = here.replica('second', { clock: behind });
  const leader = await here.until(second.leader);
  const claim = await here.settle(claimOf(leader, createCommand({ id: 'c1' }), never()));
  t.true(claim.createMs >= atMs);
});
