import test from 'ava';
import { systemRandom } from '../../../services/runtime/random.ts';
import { type ClaimRecord, isEnded } from '../../../services/scheduler/domain/claim.ts';
import { createClaimBook } from '../../../services/scheduler/domain/claim-book.ts';
import { seededRandom } from '../../support/seeded-random.ts';

type Wish = {
  readonly uid: string;
  readonly claimId: string;
  readonly project: string;
  readonly providers: readonly string[];
  readonly consumer: string | undefined;
  readonly releaseMs: number | undefined;
};

const recordOf = ({
  uid,
  claimId,
  project,
  providers,
  consumer,
  releaseMs,
}: Wish): ClaimRecord => ({
  uid,
  claimId,
  project,
  partition: 'lab',
  owner: 'users/ada',
  ancestors: [],
  version: 1,
  generation: 1,
  createMs: 0,
  updateMs: 0,
  properties: {},
  tags: [],
  spec: {
    consumer: consumer === undefined ? undefined : { type: 'x', uid: consumer, name: '' },
    acquireMs: 0,
    releaseMs,
    groups: [],
    count: 1,
    ranking: 'pack',
  },
  providers: providers.map((provider) => ({ uid: provider, name: '', finishMs: undefined })),
  placements: [],
  releaseBeginMs: undefined,
  logNumber: 1,
  requests: [],
});

test('whatever comes, changes and goes, every index finds what is there', (t) => {
  const seed = Math.floor(systemRandom.fraction() * 2 ** 31);
  t.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const upTo = (most: number): number => Math.floor(random.fraction() * most);
  const some = (word: string): readonly string[] =>
    [0, 1, 2, 3].filter(() => random.fraction() < 0.4).map((at) => `${word}${at}`);
  const book = createClaimBook();
  const model = new Map<string, ClaimRecord>();
  for (let step = 0; step < 3_000; step += 1) {
    const uid = `u${upTo(20)}`;
    const known = model.get(uid);
    if (known !== undefined && random.fraction() < 0.3) {
      model.delete(uid);
      book.remove(uid);
    } else if (known !== undefined && random.fraction() < 0.4) {
      const finishMs = known.releaseBeginMs === undefined ? undefined : 6;
      const providers = known.providers.map((one) => ({ ...one, finishMs }));
      const isBegun = finishMs === undefined;
      const claim = { ...known, releaseBeginMs: 5, ...(!isBegun && { providers }) };
      model.set(uid, claim);
      book.put(claim);
    } else {
      const claim = recordOf({
        uid,
        claimId: known?.claimId ?? `${random.fraction() < 0.5 ? 'Name' : 'name'}${upTo(6)}`,
        project: known?.project ?? `P${upTo(3)}`,
        providers: some('h'),
        consumer: random.fraction() < 0.5 ? undefined : `c${upTo(3)}`,
        releaseMs: random.fraction() < 0.5 ? undefined : 9,
      });
      model.set(uid, claim);
      book.put(claim);
    }
    if (step % 10 !== 0) continue;
    const all = [...model.values()];
    const uids = (claims: Iterable<ClaimRecord>): readonly string[] =>
      [...claims].map((claim) => claim.uid).sort();
    t.is(book.size(), all.length);
    const held = new Set(all.flatMap(({ providers }) => providers.map((one) => one.uid)));
    t.deepEqual([...book.providersFrom()], [...held].sort());
    t.deepEqual([...book.providersFrom('h2')], [...held].filter((one) => one >= 'h2').sort());
    for (const provider of ['h0', 'h1', 'h2', 'h3']) {
      const there = all.filter(({ providers }) => providers.some((one) => one.uid === provider));
      t.deepEqual(uids(book.ofProvider(provider)), uids(there));
      const living = there.filter((claim) => !isEnded(claim));
      t.deepEqual(uids(book.livingOf(provider)), uids(living));
      const ending = living.filter(
        ({ spec, releaseBeginMs }) => spec.releaseMs !== undefined || releaseBeginMs !== undefined,
      );
      t.deepEqual(uids(book.endingOf(provider)), uids(ending));
    }
    for (const consumer of ['c0', 'c1', 'c2']) {
      const there = all.filter(({ spec }) => spec.consumer?.uid === consumer);
      t.deepEqual(uids(book.ofConsumer(consumer)), uids(there));
    }
    t.deepEqual(
      [...book.projects()].sort(),
      [...new Set(all.map(({ project }) => project.toLowerCase()))].sort(),
    );
    const key = ({ claimId, uid: its }: ClaimRecord): string => `${claimId.toLowerCase()} ${its}`;
    const ofProject = all.filter(({ project }) => project === 'P1');
    const ordered = ofProject.map(key).sort();
    t.deepEqual([...book.ofProject('p1')].map(key), ordered);
    t.deepEqual(
      [...book.ofProject('p1', 'name3')].map(key),
      ordered.filter((one) => one >= 'name3'),
    );
  }
});
