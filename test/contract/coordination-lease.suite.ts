import type { TestFn } from 'ava';
import { eventually } from '../support/eventually.ts';
import type { StartStore } from './coordination.suite.ts';
import { follow, put, rejectsWith, soon, write } from './coordination-support.ts';

export const leaseTests = (test: TestFn, start: StartStore): void => {
  test.serial('an expired lease deletes its keys and the watch says so', async (t) => {
    await using store = await start();
    const { coordination, leaseTtlMs } = store;
    const startedAtMs = performance.now();
    const lease = await coordination.grantLease(leaseTtlMs, soon());
    t.true(lease.ttlMs >= leaseTtlMs);
    const { revision } = await write(
      coordination,
      put('held/1', '', lease.id),
      put('held/2', '', lease.id),
      put('free', ''),
    );
    t.is((await coordination.get('held/1', soon()))?.leaseId, lease.id);
    const follower = follow(store.another(), '', revision + 1n);
    await eventually(() => follower.batches.length > 0);
    t.true(performance.now() - startedAtMs > lease.ttlMs * 0.9, 'not before its time');
    t.is(await follower.stop(), undefined);
    t.deepEqual(follower.seen().toSorted(), ['delete held/1', 'delete held/2']);
    t.is(follower.batches.length, 1);
    await rejectsWith(t, lease.keepAlive(soon()), 'LEASE_LOST');
    await rejectsWith(t, write(coordination, put('late', '', lease.id)), 'LEASE_LOST');
    t.is(await coordination.get('late', soon()), undefined);
  });

  test.serial('a lease that is renewed outlives its time', async (t) => {
    await using store = await start();
    const { coordination, leaseTtlMs } = store;
    const lease = await coordination.grantLease(leaseTtlMs, soon());
    await write(coordination, put('held', '', lease.id));
    const endMs = performance.now() + 2.5 * lease.ttlMs;
    await eventually(async () => {
      await lease.keepAlive(soon());
      return performance.now() > endMs;
    });
    t.is((await coordination.get('held', soon()))?.leaseId, lease.id);
  });

  test.serial('a revoked lease deletes its keys at once, and may be revoked again', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const lease = await coordination.grantLease(60_000, soon());
    const { revision } = await write(
      coordination,
      put('h/1', '', lease.id),
      put('h/2', '', lease.id),
    );
    await lease.revoke(soon());
    await lease.revoke(soon());
    const follower = follow(coordination, 'h/', revision + 1n);
    await eventually(() => follower.batches.length > 0);
    t.deepEqual(follower.seen().toSorted(), ['delete h/1', 'delete h/2']);
    t.is(follower.batches[0]?.revision, revision + 1n);
    await follower.stop();
    await rejectsWith(t, lease.keepAlive(soon()), 'LEASE_LOST');
  });

  test.serial('a key that was put again without the lease survives it', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const lease = await coordination.grantLease(60_000, soon());
    const other = await coordination.grantLease(60_000, soon());
    await write(
      coordination,
      put('a', '', lease.id),
      put('b', '', lease.id),
      put('c', '', lease.id),
    );
    await write(coordination, put('a', ''), put('b', '', other.id));
    await lease.revoke(soon());
    t.is((await coordination.get('a', soon()))?.leaseId, '');
    t.is((await coordination.get('b', soon()))?.leaseId, other.id);
    t.is(await coordination.get('c', soon()), undefined);
  });

  test.serial('a lease that is unknown is refused only where the put would happen', async (t) => {
    await using store = await start();
    const { coordination } = store;
    const lease = await coordination.grantLease(60_000, soon());
    await lease.revoke(soon());
    const writes = [put('a', '', lease.id), put('b', '')];
    await rejectsWith(t, coordination.transact({ compare: [], writes }, soon()), 'LEASE_LOST');
    t.is(await coordination.get('b', soon()), undefined);
  });

  test.serial('leases have their whole time again after a restart, then expire', async (t) => {
    await using store = await start();
    const lease = await store.coordination.grantLease(store.leaseTtlMs, soon());
    await write(store.coordination, put('held', '', lease.id));
    const coordination = await store.restart();
    t.is((await coordination.get('held', soon()))?.leaseId, lease.id);
    await eventually(async () => (await coordination.get('held', soon())) === undefined);
    t.pass();
  });
};
