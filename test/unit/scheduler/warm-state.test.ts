/** What a standby knows when it takes over. */
import test from 'ava';
import { CHORE_TIMES } from '../../../services/scheduler/domain/chores.ts';
import type { ClaimRecord } from '../../../services/scheduler/domain/claim.ts';
import { NO_TOPOLOGY } from '../../../services/scheduler/domain/topology.ts';
import type { FactsListener } from '../../../services/scheduler/work/facts-book.ts';
import {
  countedIn,
  createFollowedPartition,
  type FollowedPartition,
  putClaim,
  putQuota,
} from '../../../services/scheduler/work/followed-partition.ts';
import { createWarmState } from '../../../services/scheduler/work/warm-state.ts';
import { CPU, createCommand, factsOf, granted, groupOf, stateWith } from './builders.ts';

const MINUTE_MS = 60_000;
const HOST = { uid: 'p1', offers: { [CPU]: 100 } };

const standby = () => {
  const followed = createFollowedPartition('lab');
  const listeners: FactsListener[] = [];
  const warm = createWarmState(
    {
      follower: { partition: () => followed, ready: Promise.resolve() },
      providers: {
        all: () => [factsOf(HOST)],
        listen: (_, listener) => {
          listeners.push(listener);
          return () => undefined;
        },
      },
      topologies: { of: () => NO_TOPOLOGY, listen: () => () => undefined },
      times: CHORE_TIMES,
    },
    'lab',
  );
  const tell: FactsListener = (uid, facts) => {
    for (const listener of listeners) listener(uid, facts);
  };
  return { followed, warm, tell };
};

const commit = (followed: FollowedPartition, atMs: number, claim?: ClaimRecord): void => {
  const number = (followed.head?.head.number ?? 0) + 1;
  if (claim !== undefined) putClaim(followed, claim, BigInt(number));
  followed.head = { head: { number, atMs, nonce: String(number) }, revision: BigInt(number) };
};

const claimOf = (id: string, acquireMs: number, releaseMs: number): ClaimRecord =>
  granted(
    stateWith([HOST]),
    createCommand({ id, groups: [groupOf({ [CPU]: 4 })], acquireMs, releaseMs }),
  );

const quota = {
  project: 'red',
  ancestors: [],
  limits: new Map([[CPU, 4]]),
  users: new Map(),
  generation: 1,
  updateMs: 0,
  requests: [],
};
const who = { project: 'red', ancestors: [], owner: 'users/ada' };
const one = new Map([[CPU, 1]]);
const between = (fromMs: number, toMs: number) => ({ fromMs, toMs });

test('quotas are exact at a leader whose clock was ahead while it was a standby', async (t) => {
  const { followed, warm } = standby();
  await warm.ready;
  putQuota(followed, quota);
  commit(followed, 1_000, claimOf('a', 1_000, 5 * MINUTE_MS));
  commit(followed, 2_000, claimOf('b', 6 * MINUTE_MS, 7 * MINUTE_MS));
  const { quotas } = warm.take(3_000);
  t.truthy(quotas.excess(who, one, between(3_000, 4_000)));
  t.falsy(quotas.excess(who, one, between(5 * MINUTE_MS, 6 * MINUTE_MS)));
  t.truthy(quotas.excess(who, one, between(5 * MINUTE_MS, 6 * MINUTE_MS + 1)));
  const seen = countedIn(followed).uses('red', 20 * MINUTE_MS);
  t.is(seen[0]?.used, 0);
  t.is(countedIn(followed).uses('red', 3_000)[0]?.used, 4, 'its clock was set back');
});

test('a standby notes no claims to look at while another leads', async (t) => {
  const { followed, warm, tell } = standby();
  await warm.ready;
  commit(followed, 1_000, claimOf('a', 120 * MINUTE_MS, 130 * MINUTE_MS));
  tell(HOST.uid, undefined);
  const state = warm.take(2_000);
  t.deepEqual(state.takeLooks(10), []);
  t.is(state.nextDueMs(), 120 * MINUTE_MS - CHORE_TIMES.replaceBeforeMs);
});
