/** Which of what scans found is forgotten by itself. */
import { create } from '@bufbuild/protobuf';
import test from 'ava';
import { FoundServerSchema } from '../../../gen/runmachine/inventory/v1/discovery_pb.ts';
import type { DiscoveryState } from '../../../services/inventory/domain/records.ts';
import { newHead } from '../../../services/inventory/domain/records.ts';
import { discoveryDoc } from '../../../services/inventory/rpc/discovery-message.ts';
import { inventoryMigrations } from '../../../services/inventory/store/migrations.ts';
import { inventoryRecords } from '../../../services/inventory/store/records.ts';
import { forgetDiscoveries } from '../../../services/inventory/work/forget-discoveries.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { openSql } from '../../../services/store/sql/open.ts';
import { eventually } from '../../support/eventually.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { silentLog } from '../../support/silent-log.ts';

const DAY_MS = 24 * 3_600_000;
const ACTOR = { principal: 'test', requestId: 'test' };

test('proposals that no scan finds for long are forgotten, decisions are not', async (t) => {
  const clock = manualClock();
  const parts = { clock, random: systemRandom, log: silentLog };
  const store = await openSql({
    ...parts,
    service: 'inventory',
    url: 'sqlite::memory:',
    entities: [],
    migrations: inventoryMigrations,
  });
  const records = inventoryRecords(store.dialect);
  const found = create(FoundServerSchema, { address: '10.0.0.1' });
  const doc = discoveryDoc({ found, reason: '', provider: '' });
  const nowMs = clock.now().getTime();
  const discovery = (id: string, state: DiscoveryState, ageDays: number) => ({
    isNew: true,
    record: {
      ...newHead({ uid: systemRandom.uid(), id, nowMs: nowMs - ageDays * DAY_MS }),
      partition: 'lab',
      state,
      doc,
    },
  });
  await store.transaction(undefined, ACTOR, (tx) =>
    records.discoveries.writeAll(tx, [
      discovery('old', 'proposed', 91),
      discovery('new', 'proposed', 89),
      discovery('made', 'accepted', 1_000),
      discovery('printer', 'rejected', 1_000),
    ]),
  );
  const left = async () => {
    const page = { size: 10, limit: 10, tokenAt: () => '' };
    const rows = await store.read((reader) =>
      records.discoveries.list(reader, { only: undefined }, page),
    );
    return rows.map(({ id }) => id);
  };
  const ended = new AbortController();
  const work = forgetDiscoveries({ ...parts, store, records }, ended.signal);
  t.is((await left()).length, 4);
  await clock.advance(3_600_000);
  await eventually(async () => (await left()).length === 3);
  t.deepEqual(await left(), ['made', 'new', 'printer']);
  await clock.advance(2 * DAY_MS);
  await eventually(async () => (await left()).length === 2);
  t.deepEqual(await left(), ['made', 'printer']);
  ended.abort();
  await work;
  await store.close();
});
