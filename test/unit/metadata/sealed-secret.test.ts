import test from 'ava';
import { createSecretSealer } from '../../../services/metadata/authority/sealed-secret.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';
import { systemRandom } from '../../../services/runtime/random.ts';

const masterKey = Buffer.alloc(32, 7);
const sealer = createSecretSealer({ masterKey, random: systemRandom });
const at = { uid: 'a', generation: 3, place: 'present' } as const;
const values = { user: 'root', password: 'grüße' };

test('values open where they were sealed, and their keys are in order', (t) => {
  const sealed = sealer.seal(at, values);
  t.deepEqual(sealed.keys, ['password', 'user']);
  t.deepEqual(sealer.open(at, sealed), values);
});

for (const [what, other] of Object.entries({
  'of another secret': { ...at, uid: 'b' },
  'of an earlier generation': { ...at, generation: 2 },
  'that are staged': { ...at, place: 'staged' as const },
})) {
  test(`values do not open in the place of those ${what}`, (t) => {
    const error = t.throws(() => sealer.open(other, sealer.seal(at, values)));
    t.true(isDomainError(error, 'failed_precondition', 'MASTER_KEY_WRONG'));
  });
}

test('values do not open with another master key', (t) => {
  const stranger = createSecretSealer({ masterKey: Buffer.alloc(32, 8), random: systemRandom });
  t.throws(() => stranger.open(at, sealer.seal(at, values)), { message: /master key/ });
});
