/**
 * A partition under chance: answers and requests get lost or late, leaders are cut off, callers
 * retry until they know. A seed decides everything; RUNM_TEST_SEED repeats one. The checkers look
 * at the store from outside.
 */
import test from 'ava';
import type { Random } from '../../services/runtime/random.ts';
import { isReleasing } from '../../services/scheduler/domain/claim.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { withFreezableLeases } from '../contract/coordination-support.ts';
import { type Asker, untilKnown, watchClaimsFromOutside } from '../support/claimers.ts';
import { type Fate, lossy } from '../support/lossy-coordination.ts';
import { manualClock } from '../support/manual-clock.ts';
import { memoryHistory, startReplica } from '../support/scheduler-replica.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { silentLog } from '../support/silent-log.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  factsOf,
  finishRelease,
  groupOf,
  setCapacity,
} from '../unit/scheduler/builders.ts';

const SEEDS = process.env.RUNM_TEST_SEED
  ? [Number(process.env.RUNM_TEST_SEED)]
  : Array.from({ length: 12 }, (_, at) => at + 1);
const UIDS = ['p1', 'p2'];
const CPUS = 4;
const FACTS = UIDS.map((uid) => factsOf({ uid, offers: { [CPU]: CPUS } }));
const CALLERS = 6;
const ROUNDS = 25;
const FAULTS_END_MS = 60_000;

type Chaos = { readonly random: Random; readonly isOver: () => boolean };

const fateBy =
  ({ random, isOver }: Chaos) =>
  (keys: readonly string[]): Fate => {
    if (isOver() || !keys.some((key) => key.endsWith('/head'))) return 'delivered';
    const draw = random.fraction();
    if (draw < 0.15) return 'answer-lost';
    if (draw < 0.3) return 'request-lost';
    return draw < 0.35 ? 'late' : 'delivered';
  };

let takeovers = 0;
test.after('leaders changed', (t) => t.true(takeovers > 0, `${takeovers}`));

for (const seed of SEEDS) {
  test(`nothing is lost, doubled or given twice under chance with seed ${seed}`, async (t) => {
    const random = seededRandom(seed);
    const clock = manualClock();
    const store = openEmbeddedCoordination({ file: ':memory:', clock, random, log: silentLog });
    const ended = new AbortController();
    const isOver = () => clock.monotonicMs() > FAULTS_END_MS;
    const outside = watchClaimsFromOutside(store, { cpus: CPUS, signal: ended.signal });
    const history = memoryHistory();
    const ways = ['a', 'b'].map((address) => {
      const leases = withFreezableLeases(store);
      const way = lossy(leases.coordination, fateBy({ random, isOver }));
      const { coordination } = way;
      const options = { clock, coordination, address, facts: FACTS, random, history };
      return { leases, way, replica: startReplica(options) };
    });
    const replicas = ways.map(({ replica }) => replica);

    const untilGranted = untilKnown(replicas, { random, clock });
    const opened = UIDS.map((uid) =>
      untilGranted(setCapacity(uid, { [CPU]: CPUS }, { requestId: `open-${uid}` })),
    );
    const callers = Array.from({ length: CALLERS }, (_, at) =>
      Promise.all(opened).then(() => caller(`c${at}`, untilGranted, random)),
    );
    const all = Promise.all(callers);
    let isDone = false;
    const end = () => {
      isDone = true;
    };
    all.then(end, end);
    for (let step = 0; !isDone && step < 6_000; step += 1) {
      await clock.advance(50);
      for (const { leases, way } of ways) {
        if (isOver()) leases.thaw();
        else if (random.fraction() < 0.02) leases.freeze();
        else if (random.fraction() < 0.03) leases.thaw();
        if (isOver() || random.fraction() < 0.05) await way.release();
      }
    }
    t.true(isDone, 'every caller came to know');
    const kept = (await all).flat();
    for (const { way } of ways) await way.release();
    await clock.advance(2_000);

    t.deepEqual(outside.problems, []);
    t.true(outside.number() >= 10, 'commits happened');
    takeovers += outside.elections() - 1;
    const stored = [...outside.claims.values()];
    const requests = stored.flatMap((claim) => claim.requests.map(({ requestId }) => requestId));
    t.is(new Set(requests).size, requests.length, 'no request was granted twice');
    for (const { uid, isHeld } of kept) {
      const claim = outside.claims.get(uid);
      t.is(claim !== undefined && !isReleasing(claim, 0), isHeld, `claim ${uid}`);
    }
    t.is(stored.length, kept.length, 'no claim that nobody knows of');
    const logged = [...history.batches.values()].flatMap(({ entries }) => entries);
    t.is(history.batches.size, outside.number(), 'every commit was collected');
    t.is(logged.filter(({ action }) => action === 'claim.create').length, stored.length);

    const stopping = Promise.all(replicas.map((replica) => replica.stop()));
    for (let step = 0; step < 20; step += 1) await clock.advance(200);
    await stopping;
    ended.abort();
    await outside.ended;
    await store.close();
  });
}

type Kept = { readonly uid: string; readonly isHeld: boolean };

/** Claims, and gives most of it back. */
const caller = async (name: string, ask: Asker, random: Random): Promise<readonly Kept[]> => {
  const kept: Kept[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `${name}-${round}`;
    const groups = [groupOf({ [CPU]: 1 + Math.floor(random.fraction() * 3) })];
    const claim = await ask(createCommand({ id, groups }));
    if (typeof claim === 'string') continue;
    const isHeld = random.fraction() < 0.1;
    kept.push({ uid: claim.uid, isHeld });
    if (isHeld) continue;
    await ask(beginRelease(id));
    for (const { uid } of claim.providers) await ask(finishRelease(id, uid));
  }
  return kept;
};
