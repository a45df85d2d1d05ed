import test from 'ava';
import { createTokenUse } from '../../../services/metadata/work/token-use.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { openSql } from '../../../services/store/sql/open.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { silentLog } from '../../support/silent-log.ts';

test('the time of last use is written about once a minute, not by each call', async (t) => {
  const clock = manualClock();
  const store = await openSql({
    service: 'metadata',
    url: 'sqlite::memory:',
    entities: [],
    migrations: [],
    clock,
    random: systemRandom,
    log: silentLog,
  });
  t.teardown(() => store.close());
  const written: string[] = [];
  const use = createTokenUse({
    store,
    records: { tokens: { noteUse: async (_, uid) => void written.push(uid) } },
    clock,
    log: silentLog,
  });
  const ended = new AbortController();
  const working = use.work(ended.signal);
  for (let call = 0; call < 100; call += 1) use.note('a');
  await clock.advance(59_000);
  t.deepEqual(written, []);
  await clock.advance(2_000);
  t.deepEqual(written, ['a']);
  await clock.advance(120_000);
  t.deepEqual(written, ['a']);
  use.note('b');
  ended.abort();
  await working;
  t.deepEqual(written, ['a', 'b']);
});
