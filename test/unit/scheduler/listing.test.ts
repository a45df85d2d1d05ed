import test from 'ava';
import fc from 'fast-check';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import { capacityKey } from '../../../services/scheduler/domain/keys.ts';
import { createFollowedPartition } from '../../../services/scheduler/work/followed-partition.ts';
import { listAll } from '../../../services/scheduler/work/listing.ts';
import type {
  Coordination,
  KeyValue,
  RangeOptions,
} from '../../../services/store/coordination/port.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { silentLog as log } from '../../support/silent-log.ts';

const COUNT = 5_000;
const FIRST_REVISION = 40n;

const KEYS: readonly KeyValue[] = Array.from({ length: COUNT }, (_, at) => ({
  key: capacityKey('lab', `p${String(at).padStart(5, '0')}`),
  value: Buffer.from('x'),
  createRevision: 1n,
  modRevision: 1n,
  version: 1n,
  leaseId: '',
}));

/** Pages of a store that grows with each look at it. */
const storeThat = (onRead: (options: RangeOptions) => void): Pick<Coordination, 'range'> => {
  let newest = FIRST_REVISION;
  return {
    range: async (options) => {
      onRead(options);
      const { after, limit = 1, revision = newest } = options;
      newest += 1n;
      const from = after === undefined ? 0 : KEYS.findIndex(({ key }) => key === after) + 1;
      const keys = KEYS.slice(from, from + limit);
      return { keys, more: from + limit < COUNT, revision };
    },
  };
};

const list = (store: Pick<Coordination, 'range'>, put: (at: KeyValue) => void) => {
  const coordination = { ...store } as Coordination;
  const partitions = new Map([['lab', createFollowedPartition('lab')]]);
  const signal = AbortSignal.timeout(60_000);
  return listAll({ coordination, clock, random, log }, { partitions, put }, signal);
};

test('all keys are listed once, in their order and at one revision', async (t) => {
  const asked: RangeOptions[] = [];
  const put: string[] = [];
  const store = storeThat((options) => asked.push(options));
  const revision = await list(store, ({ key }) => put.push(key));
  t.is(revision, FIRST_REVISION);
  t.deepEqual(
    put,
    KEYS.map(({ key }) => key),
  );
  t.true(asked.length > 2);
  t.deepEqual([...new Set(asked.slice(1).map((options) => options.revision))], [FIRST_REVISION]);
});

test('the next page is asked for before the one before it is put in', async (t) => {
  let count = 0;
  const putBefore: number[] = [];
  await list(
    storeThat(() => putBefore.push(count)),
    () => {
      count += 1;
    },
  );
  t.is(count, COUNT);
  t.deepEqual(putBefore.slice(0, 3), [0, 0, 500]);
});

test('what goes wrong with a page that was asked for ahead is told by its turn', async (t) => {
  let count = 0;
  const store = storeThat(({ after }) => {
    if (after !== undefined) throw new Error('no second page');
  });
  const listed = list(store, () => {
    count += 1;
  });
  await t.throwsAsync(listed, { message: 'no second page' });
  t.is(count, 500);
});

/** Gives no key from the horizon on, and notes how many it had to count. */
const countingStore = (keys: readonly KeyValue[], counts: number[]) => ({
  range: async ({ after, until, limit = 1 }: RangeOptions) => {
    const behind = keys.filter(
      ({ key }) => (after === undefined || key > after) && (until === undefined || key < until),
    );
    counts.push(behind.length);
    return {
      keys: behind.slice(0, limit),
      more: behind.length > limit,
      revision: FIRST_REVISION,
    };
  },
});

const keyed = (key: string): KeyValue => ({ ...(KEYS[0] as KeyValue), key });

test('all keys are listed once wherever a store stops at the horizon', async (t) => {
  const uids = fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{1,4}(-[0-9a-fü~]{0,3})?$/), {
    minLength: 1,
    maxLength: 4_000,
    size: 'max',
  });
  await fc.assert(
    fc.asyncProperty(uids, fc.constantFrom('claims/', 'cap/', ''), async (all, folder) => {
      const names = all.map((uid) => `partitions/lab/${folder}${uid}`);
      const keys = names.map(keyed).sort((a, b) => (a.key < b.key ? -1 : 1));
      const put: string[] = [];
      await list(countingStore(keys, []), ({ key }) => put.push(key));
      t.deepEqual(
        put,
        keys.map(({ key }) => key),
      );
    }),
    { numRuns: propertyRuns(30) },
  );
});

test('a store that counts what is behind each page counts few keys more than once', async (t) => {
  const count = 200_000;
  const keys = Array.from({ length: count }, (_, at) =>
    keyed(capacityKey('lab', `019b${(at * 7).toString(16).padStart(8, '0')}-7000`)),
  );
  const counts: number[] = [];
  let listed = 0;
  await list(countingStore(keys, counts), () => {
    listed += 1;
  });
  t.is(listed, count);
  // Without a horizon it is half of all keys for each page: eleven times all of them.
  t.true(counts.reduce((sum, one) => sum + one, 0) < count * 6, counts.join(' '));
});
