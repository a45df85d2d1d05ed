import { join } from 'node:path';
import test from 'ava';
import { machineMigrations } from '../../../../services/machine/store/migrations.ts';
import { systemClock } from '../../../../services/runtime/clock.ts';
import { DomainError } from '../../../../services/runtime/errors.ts';
import { systemRandom } from '../../../../services/runtime/random.ts';
import { openSql } from '../../../../services/store/sql/open.ts';
import { silentLog } from '../../../support/silent-log.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

test('a transaction that takes too long says when it makes sense to try it again', async (t) => {
  using dir = temporaryDir();
  const store = await openSql({
    service: 'machine',
    url: `sqlite:${join(dir.path, 'machine.db')}`,
    entities: [],
    migrations: machineMigrations,
    ...{ clock: systemClock, random: systemRandom, log: silentLog },
    limits: { transactionMs: 50 },
  });
  const never = new Promise<never>(() => undefined);
  const actor = { principal: 'users/ann', requestId: 'test' };
  const error = await t.throwsAsync(
    store.transaction(undefined, actor, () => never),
    { instanceOf: DomainError },
  );
  t.is(error.reason, 'STORE_BUSY');
  t.true((error.extras.retryAfterMs ?? 0) > 0);
  await store.close();
});
