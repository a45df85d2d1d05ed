import { needs } from '../needs.ts';
import { slot } from '../slot.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { coordinationSuite } from './coordination.suite.ts';
import type { StoreUnderTest } from './coordination-support.ts';
import { leadershipSuite } from './leadership.suite.ts';

const need = needs('etcd');
const test = need.test;

// One etcd for the file: its tests run one after the other, each below a prefix of its own.
let etcd: TestEtcd;
let count = 0;

test.before(async () => {
  await slot('database');
  etcd = await startEtcd(need.program('etcd'));
});
test.after.always(() => etcd?.[Symbol.asyncDispose]());

const start = async (): Promise<StoreUnderTest> => {
  count += 1;
  const prefix = `test-${count}/`;
  const open = () => etcd.open({ prefix });
  const clients = [open()];
  const another = () => {
    const client = open();
    clients.push(client);
    return client;
  };
  return {
    coordination: clients[0] ?? another(),
    another,
    restart: async () => {
      await etcd.kill();
      await etcd.restart();
      return another();
    },
    leaseTtlMs: 4_000,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) await client.close();
    },
  };
};

coordinationSuite(test, start);
leadershipSuite(test, start);
