import { needs } from '../needs.ts';
import { slot } from '../slot.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { claimsRaceSuite } from './claims-race.suite.ts';

const need = needs('etcd');
const test = need.test;

let etcd: TestEtcd;

test.before(async () => {
  await slot('database');
  etcd = await startEtcd(need.program('etcd'));
});
test.after.always(() => etcd?.[Symbol.asyncDispose]());

claimsRaceSuite(test, () => ({ coordination: etcd.open() }));
