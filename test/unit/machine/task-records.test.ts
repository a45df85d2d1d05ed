import { join } from 'node:path';
import test from 'ava';
import { newTask } from '../../../services/machine/domain/hardware-task.ts';
import { machineMigrations } from '../../../services/machine/store/migrations.ts';
import { taskRecords } from '../../../services/machine/store/task-records.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { openSql } from '../../../services/store/sql/open.ts';
import { silentLog } from '../../support/silent-log.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const ACTOR = { principal: 'test', requestId: 'test' };
const FAILURE = { reason: 'CANCELLED', message: 'an operator ended it' };

test('what a worker that died may have left at work is waited for when its task is ended', async (t) => {
  await using made = new AsyncDisposableStack();
  const dir = made.use(temporaryDir({ inMemory: true }));
  const url = `sqlite:${join(dir.path, 'machine.db')}`;
  const surroundings = { clock: systemClock, random: systemRandom, log: silentLog };
  const schema = { service: 'machine', entities: [], migrations: machineMigrations };
  const store = await openSql({ ...schema, url, ...surroundings });
  made.defer(() => store.close());
  const providerUid = systemRandom.uid();
  const nowMs = systemClock.now().getTime();
  const place = { kind: 'clean', providerUid, partition: 'lab', principal: '', data: {} } as const;
  const taskAt = (step: string) =>
    newTask({ uid: systemRandom.uid(), subject: systemRandom.uid(), step, ...place }, nowMs);
  // Nobody works on either: who took the first over waits until the run of the dead must be over.
  const [orphan, idle] = [taskAt('hook-running'), taskAt('quiet')];
  const waited = await store.transaction(undefined, ACTOR, async (tx) => {
    for (const task of [orphan, idle]) await taskRecords.insert(tx, task);
    const mayBeOrphan = ({ step }: { readonly step: string }) => step === 'hook-running';
    const ended = { providerUid, kinds: ['clean'], failure: FAILURE, nowMs, mayBeOrphan } as const;
    await taskRecords.cancel(tx, ended);
    return taskRecords.notLetGo(tx, { providerUid, sinceMs: nowMs - 1 });
  });
  t.deepEqual(
    waited.map(({ uid }) => uid),
    [orphan.uid],
  );
  const later = await store.read((reader) =>
    taskRecords.notLetGo(reader, { providerUid, sinceMs: nowMs }),
  );
  t.deepEqual(later, [], 'and no longer than it could go on');
});
