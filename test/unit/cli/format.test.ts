import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { formatSizeBytes, parseSizeBytes } from '../../../services/cli/format/size.ts';
import {
  formatAgo,
  formatSpanMs,
  parseSpanSeconds,
  parseTime,
} from '../../../services/cli/format/span.ts';
import { formatTable, printable } from '../../../services/cli/format/table.ts';
import { UsageError } from '../../../services/cli/usage-error.ts';

const size = test.macro({
  exec: (t, text: string, bytes: bigint) => t.is(parseSizeBytes(text, '--memory'), bytes),
  title: (_, text: string) => `"${text}" is a size`,
});
test(size, '256MiB', 268_435_456n);
test(size, '1.5GiB', 1_610_612_736n);
test(size, '10GB', 10_000_000_000n);
test(size, '2g', 2_147_483_648n);
test(size, '512', 512n);

const noSize = test.macro({
  exec: (t, text: string) => {
    const error = t.throws(() => parseSizeBytes(text, '--memory'), { instanceOf: UsageError });
    t.regex(error?.message ?? '', /--memory/);
  },
  title: (_, text: string) => `"${text}" is not a size, and the option is named`,
});
for (const text of ['', 'lots', '-1', '5 XiB', '1e9', '1'.repeat(20)]) test(noSize, text);

test('sizes are shown as people say them', (t) => {
  t.deepEqual([0n, 1023n, 268_435_456n, 1_610_612_736n].map(formatSizeBytes), [
    '-',
    '1023 B',
    '256 MiB',
    '1.5 GiB',
  ]);
});

test('spans are read in units and sums of units', (t) => {
  t.deepEqual(
    ['30', '30s', '5m', '1h30m', '7d'].map((one) => parseSpanSeconds(one, 'x')),
    [30, 30, 300, 5400, 604_800],
  );
  for (const wrong of ['', 'soon', '5 m', '5x', '-3s']) {
    t.throws(() => parseSpanSeconds(wrong, '--for'), { message: /--for/ });
  }
});

test('spans are shown as people say them', (t) => {
  t.deepEqual([1234, 59_000, 300_000, 7_500_000, 260_000_000].map(formatSpanMs), [
    '1.2 s',
    '59 s',
    '5 min',
    '2 h 5 min',
    '3 days',
  ]);
});

test('times may be absolute or relative', (t) => {
  const now = new Date('2026-03-01T12:00:00Z');
  t.is(parseTime('in 2h', 'x', now).toISOString(), '2026-03-01T14:00:00.000Z');
  t.is(parseTime('tomorrow', 'x', now).toISOString(), '2026-03-02T12:00:00.000Z');
  t.is(parseTime('2026-05-01T00:00Z', 'x', now).toISOString(), '2026-05-01T00:00:00.000Z');
  t.throws(() => parseTime('whenever', '--from', now), { message: /--from/ });
  t.is(formatAgo(timestampFromDate(new Date('2026-03-01T11:56:00Z')), now), '4 min ago');
  t.is(formatAgo(undefined, now), '-');
});

test('a table lines up and keeps control characters from the terminal', (t) => {
  const columns = [
    { title: 'NAME', value: (row: string) => row },
    { title: 'X', value: () => '' },
  ];
  t.is(formatTable(columns, ['a', 'longer']), 'NAME    X\na       -\nlonger  -');
  t.is(printable('a\u001b[31mred\u0007\u202e'), 'ared  ');
});
