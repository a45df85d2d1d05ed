import type { Coordination } from '../../services/store/coordination/port.ts';
import { needs } from '../needs.ts';
import { slot } from '../slot.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { claimersSuite } from './claimers.suite.ts';

const need = needs('etcd');
const test = need.test;

let etcd: TestEtcd;

test.before(async () => {
  await slot('database');
  etcd = await startEtcd(need.program('etcd'));
});
test.after.always(() => etcd?.[Symbol.asyncDispose]());

claimersSuite(test, async () => {
  const clients: Coordination[] = [];
  const another = () => {
    const client = etcd.open();
    clients.push(client);
    return client;
  };
  return {
    coordination: another(),
    another,
    restart: () => Promise.reject(new Error('This suite restarts nothing')),
    leaseTtlMs: 4_000,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) await client.close();
    },
  };
});
