import test from 'ava';
import { systemClock } from '../../../services/runtime/clock.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';
import { createPacedLooks } from '../../../services/scheduler/work/paced-looks.ts';

const NEVER = new AbortController().signal;

/** A clock on which a look takes as long as it says, and rests are noted. */
const slowClock = () => {
  let nowMs = 0;
  const rests: number[] = [];
  return {
    rests,
    pass: (ms: number) => {
      nowMs += ms;
    },
    clock: {
      monotonicMs: () => nowMs,
      sleep: (ms: number) => {
        rests.push(ms);
        return Promise.resolve();
      },
    },
  };
};

/** A search of so many steps. */
const steps = <T>(...acts: readonly (() => T)[]) =>
  function* act(): Generator<void, T> {
    for (const one of acts.slice(0, -1)) {
      one();
      yield;
    }
    return acts[acts.length - 1]?.() as T;
  };

test('looks run one after the other, and the leader rests for as long as each took', async (t) => {
  const { clock, pass, rests } = slowClock();
  const { look } = createPacedLooks(clock);
  const told: string[] = [];
  const say = (word: string, ms: number) =>
    look(
      'ada',
      steps(() => {
        pass(ms);
        told.push(`${word} after ${rests.length} rests`);
        return word;
      }),
      NEVER,
    );
  t.deepEqual(await Promise.all([say('a', 40), say('b', 0.5), say('c', 7)]), ['a', 'b', 'c']);
  t.deepEqual(told, ['a after 0 rests', 'b after 1 rests', 'c after 1 rests']);
  await look(
    'ada',
    steps(() => undefined),
    NEVER,
  );
  t.deepEqual(rests, [40, 7]);
});

test('the leader rests in the middle of a search too, once it took long enough', async (t) => {
  const { clock, pass, rests } = slowClock();
  const { look } = createPacedLooks(clock);
  const taking = (ms: number) => () => {
    pass(ms);
    return rests.length;
  };
  t.is(await look('ada', steps(taking(30), taking(0.7), taking(0.6), taking(9)), NEVER), 2);
  t.deepEqual(
    rests.map((ms) => Math.round(ms * 10) / 10),
    [30, 1.3, 9],
  );
});

test('a search that is given up while the leader rests takes no further step', async (t) => {
  const { clock, pass } = slowClock();
  const gone = new AbortController();
  const sleep = (ms: number, signal?: AbortSignal) => {
    gone.abort(new Error('the caller went'));
    return signal?.aborted === true ? Promise.reject(signal.reason) : clock.sleep(ms);
  };
  const { look } = createPacedLooks({ ...clock, sleep });
  const long = steps(
    () => pass(30),
    () => t.fail('it went on'),
  );
  await t.throwsAsync(look('ada', long, gone.signal), { message: 'the caller went' });
  t.is(
    await look(
      'bob',
      steps(() => 'next'),
      NEVER,
    ),
    'next',
  );
});

test('a look that fails or is given up does not keep the others', async (t) => {
  const { clock } = slowClock();
  const { look } = createPacedLooks(clock);
  const bad = look(
    'ada',
    steps(() => {
      throw new Error('no such place');
    }),
    NEVER,
  );
  const gone = look(
    'ada',
    steps(() => 'gone'),
    AbortSignal.abort(new Error('the caller went')),
  );
  const good = look(
    'ada',
    steps(() => 'good'),
    NEVER,
  );
  await t.throwsAsync(bad, { message: 'no such place' });
  await t.throwsAsync(gone, { message: 'the caller went' });
  t.is(await good, 'good');
});

test('when too many wait, more are turned away, and one caller sooner than all', async (t) => {
  const { look } = createPacedLooks(systemClock);
  const askOf = (caller: string) =>
    Array.from({ length: 300 }, () =>
      look(
        caller,
        steps(() => true),
        NEVER,
      ),
    );
  const [ada, bob] = [askOf('ada'), askOf('bob')];
  const awayOf = async (asked: readonly Promise<boolean>[]) =>
    (await Promise.allSettled(asked)).filter((one) => one.status === 'rejected');
  const away = await awayOf(ada);
  t.is(away.length, 300 - 1 - 128, 'one looks, half of the places are for others');
  t.true(away.every(({ reason }) => isDomainError(reason, 'unavailable', 'BUSY')));
  t.is((await awayOf(bob)).length, 300 - 64);
  t.true(
    await look(
      'ada',
      steps(() => true),
      NEVER,
    ),
    'afterwards there is room again',
  );
});
