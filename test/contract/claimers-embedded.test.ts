import { join } from 'node:path';
import test from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { openEmbeddedCoordination } from '../../services/store/coordination/embedded/open.ts';
import { silentLog } from '../support/silent-log.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { claimersSuite } from './claimers.suite.ts';

claimersSuite(test, async () => {
  const dir = temporaryDir({ inMemory: true });
  const coordination = openEmbeddedCoordination({
    file: join(dir.path, 'coordination.sqlite'),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  return {
    coordination,
    another: () => coordination,
    restart: () => Promise.reject(new Error('This suite restarts nothing')),
    leaseTtlMs: 3_000,
    [Symbol.asyncDispose]: async () => {
      await coordination.close();
      dir[Symbol.dispose]();
    },
  };
});
