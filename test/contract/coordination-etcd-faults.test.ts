import { Etcd3 } from 'etcd3';
import { channelOptions } from '../../services/store/coordination/etcd/channel.ts';
import type { Coordination, Transaction } from '../../services/store/coordination/port.ts';
import { needs } from '../needs.ts';
import { slot } from '../slot.ts';
import { createAuthority } from '../support/certificates.ts';
import { startEtcd, type TestEtcd, toTls } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { follow, put, rejectsWith, soon, text, write } from './coordination-support.ts';
import { stand } from './leadership.suite.ts';

const need = needs('etcd');
const test = need.test;

test.before(async () => {
  await slot('database');
});

const start = (): Promise<TestEtcd> => startEtcd(need.program('etcd'));

/** Compares and changes one key, so that of all copies of it only one can be applied. */
const counted = (head: number, value: string): Transaction => ({
  compare: [{ key: 'head', target: 'value', equals: Buffer.from(String(head - 1)) }],
  writes: [put('head', String(head)), put('nonce', value)],
});

test.serial('a watch lives through kill -9 and restarts, nothing is lost or doubled', async (t) => {
  await using etcd = await start();
  const coordination = etcd.open();
  const follower = follow(etcd.open(), 'w/', 1n);
  const written: string[] = [];
  const writeSome = async (): Promise<void> => {
    for (let i = 0; i < 20; i += 1) {
      const key = `w/${written.length}`;
      await eventually(() => write(coordination, put(key, '')));
      written.push(`put ${key}=`);
    }
  };
  await writeSome();
  for (let round = 0; round < 3; round += 1) {
    await etcd.kill();
    const restarted = etcd.restart();
    await writeSome();
    await restarted;
  }
  await eventually(() => follower.seen().length >= written.length);
  t.deepEqual(follower.seen(), written);
  t.is(await follower.stop(), undefined);
});

test.serial('a watch that missed a compaction while it was cut off says so', async (t) => {
  await using etcd = await start();
  await using proxy = await startTcpProxy(etcd.port);
  const direct = etcd.open();
  const { revision } = await write(direct, put('w', '0'));
  const follower = follow(
    etcd.open({ endpoints: [`https://127.0.0.1:${proxy.port}`] }),
    'w',
    revision,
  );
  await eventually(() => follower.batches.length === 1);
  proxy.swallowAnswers();
  await write(direct, put('w', '1'));
  const newest = await write(direct, put('w', '2'));
  await direct.compact(newest.revision, soon());
  proxy.cut();
  t.like(await follower.ended, { reason: 'COMPACTED' });
  t.deepEqual(follower.seen(), ['put w=0']);
});

test.serial('after a lost answer the same transaction is resent without harm', async (t) => {
  await using etcd = await start();
  await using proxy = await startTcpProxy(etcd.port);
  const direct = etcd.open();
  const client = etcd.open({ endpoints: [`https://127.0.0.1:${proxy.port}`] });
  await write(client, put('head', '0'));
  proxy.swallowAnswers();
  const lost = client.transact(counted(1, 'mine'), soon());
  lost.catch(() => undefined);
  await eventually(async () => text(await direct.get('head', soon())) === '1');
  proxy.cut();
  await rejectsWith(t, lost, 'OUTCOME_UNKNOWN');
  const again = await client.transact(counted(1, 'mine'), soon());
  t.false(again.succeeded);
  t.is(text(await client.get('nonce', soon())), 'mine', 'so it was the first copy that succeeded');
  t.is((await direct.get('head', soon()))?.version, 2n, 'it was applied once');
});

test.serial(
  'a caller that gives up while it waits learns that the outcome is unknown',
  async (t) => {
    await using etcd = await start();
    await using proxy = await startTcpProxy(etcd.port);
    const client = etcd.open({ endpoints: [`https://127.0.0.1:${proxy.port}`] });
    await write(client, put('head', '0'));
    proxy.swallowAnswers();
    const direct = etcd.open();
    const caller = new AbortController();
    const waiting = client.transact(counted(1, 'x'), caller.signal);
    await eventually(async () => text(await direct.get('head', soon())) === '1');
    caller.abort(new Error('caller is gone'));
    await rejectsWith(t, waiting, 'OUTCOME_UNKNOWN');
  },
);

test.serial('a transaction that never reached etcd is known not to be applied', async (t) => {
  await using etcd = await start();
  const client = etcd.open();
  await client.ping(soon());
  await etcd.kill();
  const reason = 'COORDINATION_UNAVAILABLE';
  // The first may still be handed to the dying connection; then it is unknown.
  await eventually(async () => {
    const error = await t.throwsAsync(write(client, put('k', '1')));
    return error !== undefined && 'reason' in error && error.reason === reason;
  });
  await rejectsWith(t, client.ping(soon()), reason);
  await etcd.restart();
  await eventually(() => write(client, put('k', '2')));
  t.is((await client.get('k', soon()))?.version, 1n);
});

test.serial('a frozen etcd makes calls fail in time, and they work when it thaws', async (t) => {
  await using etcd = await start();
  const client = etcd.open({ callTimeoutMs: 2_000 });
  await write(client, put('head', '0'));
  const follower = follow(client, 'head', 1n);
  await eventually(() => follower.batches.length === 1);
  await etcd.freeze();
  // Who calls never gives up, so it is the client that does.
  const patient = new AbortController().signal;
  await rejectsWith(t, client.transact(counted(1, 'x'), patient), 'OUTCOME_UNKNOWN');
  await rejectsWith(t, client.ping(patient), 'COORDINATION_UNAVAILABLE');
  await rejectsWith(t, client.grantLease(1000, patient), 'COORDINATION_UNAVAILABLE');
  etcd.thaw();
  // What was sent while it was frozen may be applied now, or not: that is what unknown means.
  await eventually(async () => {
    await client.transact(counted(1, 'x'), soon());
    return text(await client.get('head', soon())) === '1';
  });
  await eventually(() => follower.seen().length === 2);
  t.deepEqual(follower.seen(), ['put head=0', 'put head=1']);
  await follower.stop();
});

test.serial('a leader of a frozen etcd steps down before its lease can have ended', async (t) => {
  await using etcd = await start();
  const leaseTtlMs = 6_000;
  const a = stand(t, etcd.open({ callTimeoutMs: 1_000 }), { address: 'a', leaseTtlMs });
  await eventually(() => a.leads());
  const b = stand(t, etcd.open({ callTimeoutMs: 1_000 }), { address: 'b', leaseTtlMs });
  await etcd.freeze();
  const frozenAtMs = performance.now();
  await eventually(() => !a.leads());
  t.true((a.terms[0]?.endedAtMs ?? 0) - frozenAtMs < leaseTtlMs);
  etcd.thaw();
  const terms = () => [...a.terms, ...b.terms];
  await eventually(() => terms().length >= 2 && [a, b].some(({ leads }) => leads()));
  t.false(a.leads() && b.leads());
  const [first, second] = terms();
  t.notDeepEqual(first?.leadership.fence, second?.leadership.fence);
  await Promise.all([a.stop(), b.stop()]);
});

test.serial('a long outage leaves one leader, one key and one lease', async (t) => {
  await using etcd = await start();
  const leaseTtlMs = 2_000;
  const candidates = ['a', 'b', 'c'].map((address) =>
    stand(t, etcd.open({ callTimeoutMs: 1_000 }), { address, leaseTtlMs }),
  );
  const leaders = () => candidates.filter(({ leads }) => leads());
  await eventually(() => leaders().length === 1);
  await etcd.kill();
  await eventually(() => leaders().length === 0);
  const endMs = performance.now() + 2 * leaseTtlMs;
  await eventually(() => performance.now() > endMs);
  await etcd.restart();
  await eventually(() => leaders().length === 1);
  const raw = new Etcd3({
    hosts: [etcd.endpoint],
    grpcOptions: channelOptions(etcd.endpoint, etcd.tls),
  });
  await eventually(async () => (await raw.leaseClient.leaseLeases()).leases.length === 1);
  t.is((await raw.getAll().keys()).length, 1);
  raw.close();
  await Promise.all(candidates.map((candidate) => candidate.stop()));
});

test.serial('with one of two members gone calls go to the other', async (t) => {
  await using etcd = await start();
  await using gone = await startTcpProxy(etcd.port);
  const deadEndpoint = `https://127.0.0.1:${gone.port}`;
  await gone[Symbol.asyncDispose]();
  for (const endpoints of [
    [deadEndpoint, etcd.endpoint],
    [etcd.endpoint, deadEndpoint],
  ]) {
    const client = etcd.open({ endpoints });
    for (let i = 0; i < 5; i += 1) t.true((await write(client, put('k', `${i}`))).succeeded);
    t.is(text(await client.get('k', soon())), '4');
    const follower = follow(client, 'k', 1n);
    await eventually(() => follower.batches.length > 0);
    await follower.stop();
  }
});

test.serial('a client without a certificate of the CA is refused', async (t) => {
  await using etcd = await start();
  const stranger = toTls(await (await createAuthority()).issue(['spiffe://test/stranger']));
  const outside = etcd.open({ tls: { ...stranger, ca: etcd.tls.ca } });
  await rejectsWith(t, outside.ping(soon()), 'COORDINATION_UNAVAILABLE');
  const mistrusting = etcd.open({ tls: { ...etcd.tls, ca: stranger.ca } });
  await rejectsWith(t, mistrusting.ping(soon()), 'COORDINATION_UNAVAILABLE');
});

test.serial('a certificate for another address is refused', async (t) => {
  await using etcd = await start();
  await using proxy = await startTcpProxy(etcd.port, '127.0.0.2');
  const client = etcd.open({ endpoints: [`https://127.0.0.2:${proxy.port}`] });
  await rejectsWith(t, client.ping(soon()), 'COORDINATION_UNAVAILABLE');
});

test.serial('proxy variables of the environment are ignored', async (t) => {
  await using etcd = await start();
  const names = ['grpc_proxy', 'https_proxy', 'http_proxy'];
  const before = names.map((name) => process.env[name]);
  t.teardown(() => {
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    });
  });
  for (const name of names) process.env[name] = 'http://127.0.0.1:9';
  await t.notThrowsAsync(etcd.open().ping(soon()));
});

test.serial('a user with a password works, and its token is renewed', async (t) => {
  await using etcd = await start();
  const raw = new Etcd3({
    hosts: [etcd.endpoint],
    grpcOptions: channelOptions(etcd.endpoint, etcd.tls),
  });
  await raw.user('root').create('secret');
  await raw.role('root').create();
  await raw.user('root').addRole('root');
  await raw.auth.authEnable();
  raw.close();
  const client: Coordination = etcd.open({ user: { name: 'root', password: 'secret' } });
  t.true((await write(client, put('k', '1'))).succeeded);
  const follower = follow(client, 'k', 1n);
  await eventually(() => follower.batches.length === 1);
  const lease = await client.grantLease(60_000, soon());
  await lease.keepAlive(soon());
  // A restarted etcd has forgotten all tokens.
  await etcd.kill();
  await etcd.restart({ user: { name: 'root', password: 'secret' } });
  await eventually(() => write(client, put('k', '2')));
  await eventually(() => follower.batches.length === 2);
  await follower.stop();
  const wrong = etcd.open({ user: { name: 'root', password: 'wrong' } });
  await rejectsWith(t, wrong.ping(soon()), 'COORDINATION_DENIED');
});
