import test from 'ava';
import fc from 'fast-check';
import { isDomainError } from '../../../../services/runtime/errors.ts';
import { decodeToken, encodeToken } from '../../../../services/store/sql/change-token.ts';

const position = fc.record({
  incarnation: fc.nat(),
  from: fc.bigInt(0n, 2n ** 63n),
  to: fc.bigInt(0n, 2n ** 63n),
  seq: fc.maxSafeNat(),
});

/** fc.string() of all characters first lists them all, which takes a second. */
const anyText = fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units));

test('a token gives back its position', (t) => {
  fc.assert(
    fc.property(position, (given) => {
      t.deepEqual(decodeToken(encodeToken(given, 'store'), 'store'), given);
    }),
  );
});

test('text that this database did not issue is refused, whatever it is', (t) => {
  const token = encodeToken({ incarnation: 1, from: 5n, to: 9n, seq: 3 }, 'store');
  const refused = (text: string) => {
    const error = t.throws(() => decodeToken(text, 'store'));
    t.true(isDomainError(error, 'out_of_range', 'RESUME_TOKEN_EXPIRED'));
  };
  fc.assert(fc.property(anyText, refused));
  fc.assert(
    fc.property(fc.nat(token.length - 1), fc.constantFrom('A', 'b', '3', '-'), (at, char) => {
      const changed = token.slice(0, at) + char + token.slice(at + 1);
      // The last character may carry unused bits: then it is the same token.
      if (!Buffer.from(changed, 'base64url').equals(Buffer.from(token, 'base64url'))) {
        refused(changed);
      }
    }),
  );
  t.throws(() => decodeToken(token, 'another store'));
});
