/** Many callers at once on a real store of coordination, with a change of leaders in the middle. */
import type { TestFn } from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { type Asker, untilKnown, watchClaimsFromOutside } from '../support/claimers.ts';
import { eventually } from '../support/eventually.ts';
import { startReplica } from '../support/scheduler-replica.ts';
import {
  beginRelease,
  CPU,
  createCommand,
  factsOf,
  finishRelease,
  groupOf,
  setCapacity,
} from '../unit/scheduler/builders.ts';
import type { StoreUnderTest } from './coordination-support.ts';

const CLAIMERS = 64;
const ROUNDS = 4;
const UIDS = ['p1', 'p2', 'p3'];
const CPUS = 16;
const FACTS = UIDS.map((uid) => factsOf({ uid, offers: { [CPU]: CPUS } }));

export const claimersSuite = (test: TestFn, start: () => Promise<StoreUnderTest>): void => {
  test('64 parallel claimers never get above inventory, whoever leads', async (t) => {
    await using under = await start();
    const { leaseTtlMs } = under;
    const clock = systemClock;
    const replicas = ['a', 'b'].map((address) =>
      startReplica({ coordination: under.another(), clock, address, facts: FACTS, leaseTtlMs }),
    );
    const ended = new AbortController();
    const { signal } = ended;
    const outside = watchClaimsFromOutside(under.another(), { cpus: CPUS, signal });
    const ask = untilKnown(replicas, { clock, random: systemRandom });
    for (const uid of UIDS) {
      await ask(setCapacity(uid, { [CPU]: CPUS }, { requestId: `open-${uid}` }));
    }

    const claimers = Array.from({ length: CLAIMERS }, (_, at) => claimer(`c${at}`, ask));
    await eventually(() => outside.number() > 5, { message: 'some commits' });
    const first = replicas.find((replica) => replica.leader() !== undefined);
    await first?.stop();
    const granted = (await Promise.all(claimers)).flat();
    await eventually(
      () => granted.filter((uid) => uid !== 'refused').every((uid) => outside.claims.has(uid)),
      { message: 'every granted claim in the store' },
    );

    t.deepEqual(outside.problems, []);
    // Where all was over before it: the next one leads although nobody asks for anything.
    await eventually(() => outside.elections() > 1, { message: 'another leader' });
    t.true(outside.mostUsed() > CPUS - 4, `inventory was nearly used up: ${outside.mostUsed()}`);
    t.true(granted.includes('refused'), 'there was not enough for all');
    const uids = granted.filter((uid) => uid !== 'refused');
    t.is(new Set(uids).size, uids.length);
    t.is(outside.claims.size, uids.length, 'no claim that nobody knows of');
    await Promise.all(replicas.map((replica) => replica.stop()));
    ended.abort();
    await outside.ended.catch(() => undefined);
  });
};

/** Claims, and gives back what it got; answers uids, or "refused". */
const claimer = async (name: string, ask: Asker): Promise<readonly string[]> => {
  const got: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `${name}-${round}`;
    const amount = 1 + Math.floor(systemRandom.fraction() * 4);
    const claim = await ask(createCommand({ id, groups: [groupOf({ [CPU]: amount })] }));
    got.push(typeof claim === 'string' ? claim : claim.uid);
    if (typeof claim === 'string') continue;
    await ask(beginRelease(id));
    for (const { uid } of claim.providers) await ask(finishRelease(id, uid));
  }
  return got;
};
