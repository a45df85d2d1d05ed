import test from 'ava';
import { systemClock } from '../../../services/runtime/clock.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import type { ClaimRecord } from '../../../services/scheduler/domain/claim.ts';
import { entriesOf } from '../../../services/scheduler/domain/command.ts';
import { logKey } from '../../../services/scheduler/domain/keys.ts';
import { encodeLog } from '../../../services/scheduler/domain/record-format.ts';
import { createCollector } from '../../../services/scheduler/work/collector.ts';
import { openEmbeddedCoordination } from '../../../services/store/coordination/embedded/open.ts';
import { eventually } from '../../support/eventually.ts';
import { memoryHistory } from '../../support/scheduler-replica.ts';
import { silentLog } from '../../support/silent-log.ts';
import { beginRelease, CPU, createCommand, finishRelease, run, stateWith } from './builders.ts';

const SOON = () => AbortSignal.timeout(60_000);

test('a commit is collected no sooner than the claims that it ended are known to have', async (t) => {
  const deps = { clock: systemClock, random: systemRandom, log: silentLog };
  const coordination = openEmbeddedCoordination({ file: ':memory:', ...deps });
  const state = stateWith([{ uid: 'p1', offers: { [CPU]: 4 } }]);
  const commands = [createCommand({ id: 'a' }), beginRelease('a'), finishRelease('a', 'p1')];
  const records: ClaimRecord[] = [];
  for (const [at, command] of commands.entries()) {
    const decision = run(state, command);
    if (decision.kind === 'claim') records.push(decision.claim);
    const entries = entriesOf(decision).map((entry) => JSON.stringify(entry));
    const value = encodeLog({ number: at + 1, atMs: at, entries });
    await coordination.transact(
      { compare: [], writes: [{ put: logKey('lab', at + 1), value }] },
      SOON(),
    );
  }
  /** The replica has heard of so many commits. */
  let followed = 2;
  const history = memoryHistory();
  const collector = createCollector(
    { ...deps, coordination },
    {
      partition: 'lab',
      leadership: {
        fence: { key: 'leader', target: 'version', equals: 0n },
        signal: SOON(),
      },
      history,
      followed: () => followed,
      claim: () => records[followed - 1],
      pauseMs: 1,
    },
  );
  const ended = new AbortController();
  const running = collector.run(ended.signal);
  t.teardown(async () => {
    ended.abort();
    await running;
    await coordination.close();
  });
  await eventually(() => collector.collected() === 2, { message: 'what is followed is collected' });
  t.deepEqual([...history.batches.keys()], [1, 2]);
  followed = 3;
  await eventually(() => collector.collected() === 3, { message: 'the rest is collected' });
  t.deepEqual([...history.ended.keys()], ['uid-a']);
});
