import test from 'ava';
import { newHead, type ProviderRecord } from '../../../services/inventory/domain/records.ts';
import { neverReserved } from '../../../services/inventory/domain/reservation.ts';
import {
  decodeIntent,
  encodeIntent,
  offeredTypes,
  type ReshapeIntent,
  reshaped,
} from '../../../services/inventory/domain/reshape-intent.ts';

const INTENT: ReshapeIntent = {
  holder: 'me',
  partition: 'lab',
  parts: [
    {
      uid: 'u',
      generation: 4,
      inventories: [{ resourceType: 'runm.memory', total: '18446744073709551615' }],
      offers: [
        {
          resourceType: 'runm.memory',
          usable: 2n ** 64n - 1n,
          minUnit: 1n,
          maxUnit: 2n ** 63n,
          stepSize: 1n,
        },
      ],
    },
  ],
  moves: [{ fromUid: 'u', toUid: 'v', resourceType: 'runm.memory', claimUid: '' }],
};

const RECORD: ProviderRecord = {
  ...newHead({ uid: 'u', id: 'host-1', nowMs: 1 }),
  doc: JSON.stringify({ tags: ['a'], spec: { type: 'X', inventories: [{ resourceType: 'r' }] } }),
  partition: 'lab',
  parentUid: '',
  rootUid: 'u',
  observed: '',
  generation: 3,
  reserved: { ...neverReserved(4), holder: 'me', sinceMs: 1, intent: 'text' },
};

test('what is stored of a reshape is read as it was, amounts of 64 bits too', (t) => {
  t.deepEqual(decodeIntent(encodeIntent(INTENT)), INTENT);
});

test('a written part changes inventories and generation, and ends the reservation', (t) => {
  const [part] = INTENT.parts;
  if (part === undefined) throw new Error('No part');
  const written = reshaped(RECORD, part, { holder: 'me', nowMs: 9 });
  t.deepEqual(JSON.parse(written.doc), {
    tags: ['a'],
    spec: { type: 'X', inventories: part.inventories },
  });
  t.is(written.generation, 4);
  t.is(written.version, RECORD.version + 1);
  t.is(written.updateMs, 9);
  t.deepEqual(written.reserved, { ...neverReserved(4), finished: 'me' });
  t.deepEqual(offeredTypes(written), ['runm.memory']);
  t.deepEqual(offeredTypes({ ...RECORD, doc: '{}' }), []);
});
