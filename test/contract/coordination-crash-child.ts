import { writeSync } from 'node:fs';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { syncToDisk } from '../../services/store/coordination/embedded/journal.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { silentLog } from '../support/silent-log.ts';
import type { CommittingPlan } from './coordination-crash.ts';
import { put, write } from './coordination-support.ts';

/** Started by coordination-crash.ts: commits until the sync at which it dies. */
const { file, dieAtSync }: CommittingPlan = JSON.parse(process.argv[2] ?? '');
const STDOUT = 1;

let syncs = 0;
const store = openEmbeddedCoordination({
  file,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  sync: async (descriptor) => {
    syncs += 1;
    if (syncs === dieAtSync) process.kill(process.pid, 'SIGKILL');
    await syncToDisk(descriptor);
  },
});
for (let number = 1; ; number += 1) {
  await write(store, put(`n/${String(number).padStart(6, '0')}`, 'x'));
  // Whoever is killed flushes no stream.
  writeSync(STDOUT, `${number}\n`);
}
