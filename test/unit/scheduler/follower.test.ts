/** What a replica knows after its watch was cut and everything is listed again. */
import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../services/runtime/clock.ts';
import { outOfRange } from '../../../services/runtime/errors.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import type { ClaimRecord } from '../../../services/scheduler/domain/claim.ts';
import {
  capacityKey,
  claimKey,
  headKey,
  leaderKey,
  logKey,
} from '../../../services/scheduler/domain/keys.ts';
import {
  encodeCapacity,
  encodeClaim,
  encodeHead,
} from '../../../services/scheduler/domain/record-format.ts';
import { createFollower } from '../../../services/scheduler/work/follower.ts';
import { openEmbeddedCoordination } from '../../../services/store/coordination/embedded/open.ts';
import type { Coordination, Write } from '../../../services/store/coordination/port.ts';
import { eventually } from '../../support/eventually.ts';
import { silentLog } from '../../support/silent-log.ts';
import { CPU, createCommand, granted, offersFrom, stateWith } from './builders.ts';

const SOON = () => AbortSignal.timeout(60_000);
const bytes = (text: string) => new TextEncoder().encode(text);

/** Ends every watch as a compaction does, when told to; while it is held no list is answered. */
const cuttable = (store: Coordination) => {
  let cut = new AbortController();
  let gate = Promise.resolve();
  const coordination: Coordination = {
    ...store,
    range: async (options, signal) => {
      await gate;
      // Small pages: a list is made of several.
      return store.range({ ...options, limit: 2 }, signal);
    },
    watch: async function* (options) {
      const signal = AbortSignal.any([options.signal, cut.signal]);
      yield* store.watch({ ...options, signal });
      if (!options.signal.aborted) throw outOfRange('COMPACTED', 'The watch was cut');
    },
  };
  return {
    coordination,
    hold: () => {
      const held = Promise.withResolvers<void>();
      gate = held.promise;
      const before = cut;
      cut = new AbortController();
      before.abort();
      return held.resolve;
    },
  };
};

const follow = async (t: ExecutionContext) => {
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const store = openEmbeddedCoordination({ file: ':memory:', ...deps });
  const { coordination, hold } = cuttable(store);
  const follower = createFollower(
    { ...deps, coordination },
    { changesMax: 100, bookmarkMs: 1_000 },
  );
  const ended = new AbortController();
  const running = follower.run(ended.signal);
  t.teardown(async () => {
    ended.abort();
    await running;
    await store.close();
  });
  await follower.ready;
  const write = async (...writes: readonly Write[]): Promise<bigint> => {
    const { revision } = await store.transact({ compare: [], writes }, SOON());
    return revision;
  };
  return { follower, hold, write, at: follower.partition('lab') };
};

const claimOf = (id: string): ClaimRecord =>
  granted(stateWith([{ uid: 'p1', offers: { [CPU]: 4 } }]), createCommand({ id }), 10);

const putClaim = (claim: ClaimRecord): Write => ({
  put: claimKey('lab', claim.uid),
  value: encodeClaim(claim),
});
const putCapacity = (providerUid: string): Write => ({
  put: capacityKey('lab', providerUid),
  value: encodeCapacity({
    providerUid,
    generation: 1,
    offers: offersFrom({ [CPU]: 4 }),
    closed: false,
    version: 1,
    updateMs: 0,
  }),
});
const head = (number: number) => ({ number, atMs: number, nonce: `n${number}` });
const putHead = (number: number): Write => ({
  put: headKey('lab'),
  value: encodeHead(head(number)),
});

test('after its watch was cut a replica knows what there is, and nothing else', async (t) => {
  const { follower, hold, write, at } = await follow(t);
  const [stays, goes, comes] = ['stays', 'goes', 'comes'].map(claimOf);
  if (stays === undefined || goes === undefined || comes === undefined)
    throw new Error('no claims');
  await write(putClaim(stays), putClaim(goes), putCapacity('p1'), putCapacity('p2'), putHead(1));
  const log = (number: number) => ({ put: logKey('lab', number), value: bytes('{}') });
  await write(log(1), { put: leaderKey('lab'), value: bytes('node-1') });
  await eventually(() => at.leader !== undefined, { message: 'the leader is known' });
  const release = hold();
  await write({ delete: claimKey('lab', goes.uid) }, { delete: capacityKey('lab', 'p2') });
  const last = await write(
    ...[putClaim(comes), { delete: leaderKey('lab') }, { delete: logKey('lab', 1) }, log(2)],
  );
  release();
  await eventually(() => follower.ring.revision() >= last, { message: 'it has listed' });
  const uids = [...at.claims.all()].map(({ uid }) => uid).sort();
  t.deepEqual(uids, [comes.uid, stays.uid].sort());
  t.deepEqual([...at.capacities.keys()], ['p1']);
  t.deepEqual([...at.capacityUids.from()], ['p1']);
  t.is(at.leader, undefined);
  t.deepEqual([...at.log], [2]);
  t.is(at.head?.head.number, 1);
});

test('what a replica has committed itself is still there when it lists again', async (t) => {
  const { follower, hold, write, at } = await follow(t);
  const [own, later] = [claimOf('own'), claimOf('later')];
  const commit = async (claim: ClaimRecord, number: number): Promise<void> => {
    const revision = await write(putClaim(claim), putHead(number), putCapacity('p1'));
    const rest = { forgotten: [], capacities: [], quotas: [], head: head(number) };
    follower.apply({ partition: 'lab', revision, claims: [claim], ...rest });
  };
  await commit(own, 1);
  const other = await write(putCapacity('p2'));
  const release = hold();
  release();
  await eventually(() => follower.ring.revision() >= other && at.capacities.has('p2'), {
    message: 'it has listed',
  });
  t.not(at.claims.get(own.uid), undefined);
  t.is(at.head?.head.number, 1);

  const again = hold();
  await commit(later, 2);
  again();
  const revision = await write(putCapacity('p3'));
  await eventually(() => follower.ring.revision() >= revision, { message: 'it follows again' });
  t.is(at.claims.size(), 2);
  t.is(at.head?.head.number, 2);
});

test('an own commit that the watch brings before its answer is not read again', async (t) => {
  const { follower, write, at } = await follow(t);
  const own = claimOf('own');
  const commit = { claims: [own], forgotten: [], capacities: [], quotas: [], head: head(1) };
  follower.expect({ partition: 'LAB', ...commit });
  const revision = await write(putClaim(own), putHead(1));
  await eventually(() => follower.ring.revision() >= revision, { message: 'it was watched' });
  t.is(at.claims.get(own.uid), own);
  t.is(at.revisions.get(own.uid), revision);
  t.is(at.head?.revision, revision);
});

test('what another committed in the place of an expected commit counts', async (t) => {
  const { follower, write, at } = await follow(t);
  const [own, others] = [claimOf('own'), claimOf('others')];
  const commit = { claims: [own], forgotten: [], capacities: [], quotas: [] };
  follower.expect({ partition: 'lab', ...commit, head: { ...head(1), nonce: 'lost' } });
  const revision = await write(putClaim(others), putHead(1));
  await eventually(() => follower.ring.revision() >= revision, { message: 'it was watched' });
  t.is(at.claims.get(own.uid), undefined);
  t.is(at.claims.get(others.uid)?.claimId, others.claimId);
});
