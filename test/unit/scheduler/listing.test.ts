import test from 'ava';
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
  const signal = AbortSignal.timeout(20_000);
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
