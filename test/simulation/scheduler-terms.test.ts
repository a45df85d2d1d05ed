/** Where one term of a leader ends and the next begins. */
import test from 'ava';
import { type Fate, lossy } from '../support/lossy-coordination.ts';
import { claimOf, memoryHistory } from '../support/scheduler-replica.ts';
import { opened, schedulerWorld } from '../support/scheduler-world.ts';
import { CPU, createCommand, groupOf } from '../unit/scheduler/builders.ts';

const never = () => new AbortController().signal;
const soon = () => AbortSignal.timeout(60_000);
const isCommit = (keys: readonly string[]) => keys.some((key) => key.endsWith('/head'));
const whole = (id: string) => createCommand({ id, groups: [groupOf({ [CPU]: 4 })] });

test('who stood still for longer than its lease leads no more, before a timer tells it', async (t) => {
  const here = schedulerWorld(t);
  let aheadMs = 0;
  const clock = { ...here.clock, monotonicMs: () => here.clock.monotonicMs() + aheadMs };
  const replica = here.replica('a', { clock });
  await opened(here, replica);
  const leader = await here.until(replica.leader);
  t.is(
    leader.glance(({ claims }) => claims.size()),
    0,
  );
  aheadMs = 60_000;
  const notLeader = { message: /does not lead/ };
  t.is(replica.leader(), undefined);
  t.throws(() => leader.glance(() => 'seen'), notLeader);
  const search = () => ({ next: () => ({ done: true as const, value: 'seen' }) });
  await t.throwsAsync(leader.read('ada', search, never()), notLeader);
  const refused = createCommand({ id: 'a', groups: [groupOf({ [CPU]: 5 })] });
  await t.throwsAsync(leader.submit(refused, never()), notLeader);
});

test('a term that is left behind keeps what it had decided from the next', async (t) => {
  let fate: Fate = 'delivered';
  const here = schedulerWorld(t);
  const way = lossy(here.store, (keys) => (isCommit(keys) ? fate : 'delivered'));
  // Its collector waits for ever, and so its term does not end.
  let isStuck = true;
  const memory = memoryHistory();
  const record: typeof memory.record = (...batch) =>
    isStuck ? new Promise<never>(() => undefined) : memory.record(...batch);
  const history = { ...memory, record };
  const replica = here.replica('a', { coordination: way.coordination, history });
  await opened(here, replica);
  const first = await here.until(replica.leader);
  fate = 'request-lost';
  const lost = claimOf(first, whole('lost'), never());
  lost.catch(() => undefined);
  await here.clock.advance(500);
  t.is(
    first.glance(({ claims }) => claims.size()),
    1,
    'it is decided',
  );
  const deletion = { compare: [], writes: [{ delete: 'partitions/lab/leader' }] };
  await here.settle(here.store.transact(deletion, soon()));
  await t.throwsAsync(here.settle(lost), { message: /same request id/ });
  fate = 'delivered';
  isStuck = false;
  const next = await here.until(() => {
    const leader = replica.leader();
    return leader === first ? undefined : leader;
  });
  t.is(
    next.glance(({ claims }) => claims.size()),
    0,
    'nobody wrote it',
  );
  const claim = await here.settle(claimOf(next, whole('next'), never()));
  t.is(claim.claimId, 'next');
});
