import test from 'ava';
import type { CapacityRecord } from '../../../services/scheduler/domain/capacity.ts';
import {
  decodeCapacity,
  encodeCapacity,
} from '../../../services/scheduler/domain/record-format.ts';
import { createCapacityReading } from '../../../services/scheduler/work/capacity-reading.ts';
import { createSharedValues } from '../../../services/scheduler/work/shared-values.ts';
import { CPU, MEMORY, offersFrom } from './builders.ts';

const reading = () => createCapacityReading(createSharedValues(), (uid) => uid);

const recordOf = (changed: Partial<CapacityRecord> = {}): CapacityRecord => ({
  providerUid: '0197ee00-0000-7000-8000-00000000000a',
  generation: 3,
  offers: offersFrom({ [CPU]: 4, [MEMORY]: 2 ** 40 }),
  closed: false,
  version: 2,
  updateMs: 1_764_237_600_000,
  ...changed,
});

const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

test('records are read as they were stored, whatever was read before', (t) => {
  const read = reading();
  for (const changed of [
    {},
    { providerUid: 'p2', updateMs: 0 },
    { providerUid: 'p3', closed: true },
    { providerUid: 'p4', generation: 4 },
    { providerUid: 'p5', version: 9 },
    { providerUid: 'p6', offers: offersFrom({ [CPU]: 5 }) },
    { providerUid: 'p7', offers: offersFrom({ 'größe ","updateMs":7}': 5 }) },
    { providerUid: 'p8', offers: offersFrom({ [CPU]: { usable: 4, maxUnit: 2, stepSize: 2 } }) },
    { providerUid: 'p9', reshape: { requestId: 'r', claims: 2 } },
    { providerUid: 'größe' },
    { providerUid: 'a "quoted" one' },
    { providerUid: '' },
    { providerUid: 'p10', updateMs: -1.5 },
    { providerUid: 'p11' },
    { providerUid: 'p12', mark: 7 },
    { providerUid: 'p13', mark: 2 ** 31 - 1, earlier: [5, 6] },
    { providerUid: 'p14', mark: 8, earlier: [5, 6], reshape: { requestId: 'r', claims: 2 } },
    { providerUid: 'p15', mark: 9, offers: offersFrom({ 'x,"mark":3': 5 }) },
  ]) {
    const record = recordOf(changed);
    t.deepEqual(read(encodeCapacity(record)), { mark: 0, ...record });
  }
});

test('records that differ in the provider, the time and the mark share what they offer', (t) => {
  const read = reading();
  const first = read(encodeCapacity(recordOf()));
  const second = read(encodeCapacity(recordOf({ providerUid: 'p2', updateMs: 5, mark: 6 })));
  t.is(second.offers, first.offers);
  t.is(second.updateMs, 5);
  t.is(second.mark, 6);
});

test('a record is read in whatever order its fields stand', (t) => {
  const { offers, providerUid, updateMs, ...rest } = recordOf();
  const stored = { offers: [...offers], ...rest };
  const reshape = { requestId: 'r', claims: 2 };
  const read = reading();
  for (const fields of [
    { v: 1, providerUid, ...stored, updateMs },
    { v: 1, providerUid, updateMs, ...stored },
    { updateMs, ...stored, providerUid, v: 1 },
    { v: 1, providerUid, ...stored, reshape, updateMs },
    { v: 1, providerUid, ...stored, updateMs, reshape },
    { v: 1, providerUid, ...stored, mark: 5, updateMs },
    { v: 1, providerUid, ...stored, updateMs, mark: 5, reshape },
  ]) {
    t.deepEqual(read(bytesOf(fields)), { mark: 0, ...decodeCapacity(bytesOf(fields)) });
  }
});

test('a record of a newer program is refused', (t) => {
  t.throws(() => reading()(bytesOf({ v: 2, providerUid: 'p1', offers: [], updateMs: 1 })), {
    message: /format/,
  });
});
