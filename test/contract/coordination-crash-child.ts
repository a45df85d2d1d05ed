import { writeSync } from 'node:fs';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { type Sync, syncToDisk } from '../../services/store/coordination/embedded/journal.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { openCoordinationThread } from '../../services/store/coordination/embedded/open-thread.ts';
import { silentLog } from '../support/silent-log.ts';
import type { CommittingPlan } from './coordination-crash.ts';
import { put, write } from './coordination-support.ts';

/** Started by coordination-crash.ts: commits until the sync, or the commit, at which it dies. */
const plan: CommittingPlan = JSON.parse(process.argv[2] ?? '');
const { file, dieAtSync, inThread = false } = plan;
const STDOUT = 1;
const deps = { clock: systemClock, random: systemRandom, log: silentLog };

const die = (): void => void process.kill(process.pid, 'SIGKILL');

let syncs = 0;
const sync: Sync = async (descriptor) => {
  syncs += 1;
  if (syncs === dieAtSync) die();
  await syncToDisk(descriptor);
};
const store = inThread
  ? await openCoordinationThread({ file, ...deps })
  : openEmbeddedCoordination({ file, ...deps, sync });
for (let number = 1; ; number += 1) {
  const writing = write(store, put(`n/${String(number).padStart(6, '0')}`, 'x'));
  if (inThread && number === dieAtSync) setImmediate(die);
  await writing;
  // Whoever is killed flushes no stream.
  writeSync(STDOUT, `${number}\n`);
}
