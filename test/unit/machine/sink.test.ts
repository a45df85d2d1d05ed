import test from 'ava';
import { retryPauseMs, TYPE_PATTERN, wantsType } from '../../../services/machine/domain/sink.ts';

const wants = test.macro<[readonly string[], string, boolean]>({
  exec: (t, types, type, expected) => t.is(wantsType(types, type), expected),
  title: (_, types, type, expected) =>
    `${types?.join(', ')} ${expected ? 'wants' : 'does not want'} ${type}`,
});

test(wants, ['*'], 'claim.ending', true);
test(wants, ['claim.*'], 'claim.ending', true);
test(wants, ['claim.*'], 'claims.ending', false);
test(wants, ['claim.end*'], 'claim.ending', true);
test(wants, ['claim.ending'], 'claim.ending', true);
test(wants, ['claim.ending'], 'claim.ending_soon', false);
test(wants, ['machine.*', 'claim.expired'], 'claim.expired', true);
test(wants, [], 'claim.expired', false);

test('a type is a dotted word, its beginning with a star, or a star', (t) => {
  for (const good of ['*', 'claim.*', 'claim.at_risk', 'c*']) t.regex(good, TYPE_PATTERN);
  for (const bad of ['', '**', 'Claim.*', '.claim', '*.ending', 'a b']) {
    t.notRegex(bad, TYPE_PATTERN);
  }
});

test('pauses double up to the longest, spread, and never undercut what was asked', (t) => {
  const backoff = { firstMs: 1_000, longestMs: 60_000 };
  const pause = (failures: number, chance: number, afterMs = 0) =>
    retryPauseMs(backoff, failures, { chance, afterMs });
  t.deepEqual(
    [1, 2, 3, 7, 8, 1_000_000].map((n) => pause(n, 1)),
    [1_000, 2_000, 4_000, 60_000, 60_000, 60_000],
  );
  t.is(pause(1, 0), 500);
  t.is(pause(1, 0, 7_000), 7_000);
  t.is(pause(1, 0, 1e12), 3_600_000, 'a receiver cannot ask for years');
});
