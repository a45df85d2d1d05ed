import { getEventListeners } from 'node:events';
import test from 'ava';
import { systemRandom } from '../../../../services/runtime/random.ts';
import { openEmbeddedCoordination } from '../../../../services/store/coordination/embedded/open.ts';
import { campaign } from '../../../../services/store/coordination/leadership.ts';
import { manualClock } from '../../../support/manual-clock.ts';
import { silentLog } from '../../../support/silent-log.ts';

const TTL_MS = 1000;

test('a hundred terms leave no listener, key or lease behind', async (t) => {
  const clock = manualClock();
  const common = { clock, random: systemRandom, log: silentLog };
  const coordination = openEmbeddedCoordination({ ...common, file: ':memory:' });
  const stopping = new AbortController();
  const { signal } = stopping;
  const listeners: number[] = [];
  const running = campaign(
    { ...common, coordination },
    {
      key: 'leader',
      address: 'a',
      leaseTtlMs: TTL_MS,
      signal,
      lead: async () => {
        listeners.push(getEventListeners(signal, 'abort').length);
      },
    },
  );
  for (let i = 0; i < 1000 && listeners.length < 100; i += 1) await clock.advance(5000);
  t.true(listeners.length >= 100);
  t.true(Math.max(...listeners) <= Math.min(...listeners) + 1, String(listeners));
  stopping.abort();
  await clock.advance(TTL_MS);
  await running;
  t.is(getEventListeners(signal, 'abort').length, 0);
  const { keys } = await coordination.range({ prefix: '' }, new AbortController().signal);
  t.deepEqual(keys, []);
  await coordination.close();
});

test('a leader that does not stop working is left behind after a limit', async (t) => {
  const clock = manualClock();
  const common = { clock, random: systemRandom, log: silentLog };
  const coordination = openEmbeddedCoordination({ ...common, file: ':memory:' });
  const stopping = new AbortController();
  let terms = 0;
  const options = {
    key: 'leader',
    address: 'a',
    leaseTtlMs: TTL_MS,
    signal: stopping.signal,
    lead: () => {
      terms += 1;
      return new Promise<void>(() => undefined);
    },
  };
  const running = campaign({ ...common, coordination }, options);
  await clock.advance(TTL_MS);
  t.is(terms, 1);
  stopping.abort();
  await clock.advance(40_000);
  await running;
  const at = await coordination.get('leader', new AbortController().signal);
  t.is(at, undefined);
  await coordination.close();
});
