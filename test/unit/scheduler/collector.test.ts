import test, { type ExecutionContext } from 'ava';
import { systemClock } from '../../../services/runtime/clock.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import type { ClaimRecord } from '../../../services/scheduler/domain/claim.ts';
import { entriesOf } from '../../../services/scheduler/domain/command.ts';
import { logKey, logPrefix } from '../../../services/scheduler/domain/keys.ts';
import { encodeLog } from '../../../services/scheduler/domain/record-format.ts';
import {
  type CollectorOptions,
  createCollector,
} from '../../../services/scheduler/work/collector.ts';
import { openEmbeddedCoordination } from '../../../services/store/coordination/embedded/open.ts';
import type { Coordination } from '../../../services/store/coordination/port.ts';
import { eventually } from '../../support/eventually.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { memoryHistory } from '../../support/scheduler-replica.ts';
import { silentLog } from '../../support/silent-log.ts';
import { beginRelease, CPU, createCommand, finishRelease, run, stateWith } from './builders.ts';

const PAUSE_MS = 300_000;
const SOON = () => AbortSignal.timeout(60_000);

const open = (t: ExecutionContext): Coordination => {
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const coordination = openEmbeddedCoordination({ file: ':memory:', ...deps });
  t.teardown(() => coordination.close());
  return coordination;
};

const putLog = (coordination: Coordination, number: number, entries: readonly string[] = []) => {
  const value = encodeLog({ number, atMs: number, entries });
  return coordination.transact(
    { compare: [], writes: [{ put: logKey('lab', number), value }] },
    SOON(),
  );
};

const putLogs = async (coordination: Coordination, from: number, to: number): Promise<void> => {
  for (let number = from; number <= to; number += 1) await putLog(coordination, number);
};

/** Of how many commits the log is there. */
const logged = async (coordination: Coordination): Promise<number> =>
  (await coordination.range({ prefix: logPrefix('lab') }, SOON())).keys.length;

type Collecting = Partial<CollectorOptions> & Pick<CollectorOptions, 'history'>;

/** Runs one until the test ends. */
const collect = (
  t: ExecutionContext,
  { coordination, clock = systemClock }: Pick<Deps, 'coordination'> & Partial<Deps>,
  options: Collecting,
) => {
  const collector = createCollector(
    { clock, random: systemRandom, log: silentLog, coordination },
    {
      partition: 'lab',
      leadership: { fence: { key: 'leader', target: 'version', equals: 0n }, signal: SOON() },
      followed: () => Number.POSITIVE_INFINITY,
      waiting: () => 0,
      claim: () => undefined,
      pauseMs: 1,
      ...options,
    },
  );
  const ended = new AbortController();
  const running = collector.run(ended.signal);
  t.teardown(async () => {
    ended.abort();
    await running;
  });
  return collector;
};

type Deps = Parameters<typeof createCollector>[0];

test('a commit is collected no sooner than the claims that it ended are known to have', async (t) => {
  const coordination = open(t);
  const state = stateWith([{ uid: 'p1', offers: { [CPU]: 4 } }]);
  const commands = [createCommand({ id: 'a' }), beginRelease('a'), finishRelease('a', 'p1')];
  const records: ClaimRecord[] = [];
  for (const [at, command] of commands.entries()) {
    const decision = run(state, command);
    if (decision.kind === 'claim') records.push(decision.claim);
    const entries = entriesOf(decision).map((entry) => JSON.stringify(entry));
    await putLog(coordination, at + 1, entries);
  }
  /** The replica has heard of so many commits. */
  let followed = 2;
  const history = memoryHistory();
  const collector = collect(
    t,
    { coordination },
    { history, followed: () => followed, claim: () => records[followed - 1] },
  );
  await eventually(() => collector.collected() === 2, { message: 'what is followed is collected' });
  t.deepEqual([...history.batches.keys()], [1, 2]);
  followed = 3;
  await eventually(() => collector.collected() === 3, { message: 'the rest is collected' });
  t.deepEqual([...history.ended.keys()], ['uid-a']);
});

test('commits wait for more while they come, many do not, and all are recorded at once', async (t) => {
  const coordination = open(t);
  const clock = manualClock();
  const records: number[] = [];
  const memory = memoryHistory();
  const history: typeof memory = {
    ...memory,
    record: async (partition, batches, endedBy) => {
      records.push([...batches].length);
      await memory.record(partition, batches, endedBy);
    },
  };
  let waiting = 0;
  await putLogs(coordination, 1, 1);
  const options = { history, pauseMs: PAUSE_MS, waiting: () => waiting };
  const collector = collect(t, { coordination, clock }, options);
  /** How much time passes until that commit is collected. */
  const tookMs = async (number: number, stepMs: number): Promise<number> => {
    const beganMs = clock.monotonicMs();
    const isCollected = async () => {
      if (collector.collected() >= number) return true;
      await clock.advance(stepMs);
      return false;
    };
    await eventually(isCollected, { message: `the log of ${number}` });
    return clock.monotonicMs() - beganMs;
  };
  await eventually(() => collector.collected() === 1, { message: 'what a leader finds' });

  await putLogs(coordination, 2, 41);
  waiting = 40;
  t.true((await tookMs(41, 10_000)) >= PAUSE_MS, 'some wait for more');

  await putLogs(coordination, 42, 341);
  waiting = 300;
  t.true((await tookMs(341, 1_000)) < PAUSE_MS, 'many do not wait');

  await putLogs(coordination, 342, 345);
  waiting = 4;
  t.true((await tookMs(345, 1_000)) < PAUSE_MS, 'nor do those of a quiet partition');
  t.deepEqual(records, [1, 40, 256, 44, 4]);
});

test('nothing leaves coordination before history has it', async (t) => {
  const coordination = open(t);
  await putLogs(coordination, 1, 200);
  const memory = memoryHistory();
  const recorded = Promise.withResolvers<void>();
  let isAsked = false;
  const history: typeof memory = {
    ...memory,
    record: async () => {
      isAsked = true;
      await recorded.promise;
    },
  };
  collect(t, { coordination }, { history });
  await eventually(() => isAsked, { message: 'the record' });
  t.is(await logged(coordination), 200);
  recorded.resolve();
  await eventually(async () => (await logged(coordination)) === 0, { message: 'no log' });
});

test('what was too much for one transaction is recorded in smaller ones', async (t) => {
  const coordination = open(t);
  await putLogs(coordination, 1, 300);
  const memory = memoryHistory();
  const history: typeof memory = {
    ...memory,
    record: async (partition, batches, endedBy) => {
      if ([...batches].length > 100) throw new Error('too long');
      await memory.record(partition, batches, endedBy);
    },
  };
  const collector = collect(t, { coordination }, { history });
  await eventually(() => collector.collected() === 300, { message: 'all is collected' });
  t.deepEqual(
    [...memory.batches.keys()],
    Array.from({ length: 300 }, (_, at) => at + 1),
  );
});
