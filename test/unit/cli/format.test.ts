import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { formatAmount, formatAmountHours } from '../../../services/cli/format/amount.ts';
import { formatSizeBytes, parseSizeBytes } from '../../../services/cli/format/size.ts';
import {
  formatAgo,
  formatSpanMs,
  parseSpanSeconds,
  parseTime,
  spanText,
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
  t.is(parseTime('+7d', 'x', now).toISOString(), '2026-03-08T12:00:00.000Z');
  t.is(parseTime('tomorrow', 'x', now).toISOString(), '2026-03-02T12:00:00.000Z');
  t.is(parseTime('2026-05-01T00:00Z', 'x', now).toISOString(), '2026-05-01T00:00:00.000Z');
  t.throws(() => parseTime('whenever', '--from', now), { message: /--from/ });
  t.is(formatAgo(timestampFromDate(new Date('2026-03-01T11:56:00Z')), now), '4 min ago');
  t.is(formatAgo(undefined, now), '-');
});

test('a table that is wider than its room is cut where it is widest, but for its names', (t) => {
  const columns = [
    { title: 'NAME', value: (row: readonly string[]) => row[0] ?? '' },
    { title: 'WHAT', value: (row: readonly string[]) => row[1] ?? '' },
    { title: 'STATE', value: (row: readonly string[]) => row[2] ?? '' },
  ];
  const rows = [['a-name-that-is-quite-long', 'what is told of it at length', 'off']];
  const [, line = ''] = formatTable(columns, rows, 50).split('\n');
  t.is(line, 'a-name-that-is-quite-long  what is told of…  off');
  t.is(formatTable(columns, rows, 20).split('\n')[1], 'a-name-that-is-quite-long  what is…  off');
  t.true(formatTable(columns, rows).includes('at length'));
});

test('where columns cannot be cut to fit the last ones go, and the heading says so', (t) => {
  const columns = ['NAME', 'TYPE', 'STATE', 'GROUPS', 'PROBLEM'].map((title, at) => ({
    title,
    value: (row: readonly string[]) => row[at] ?? '',
  }));
  const rows = [['r1u1', 'bare metal', 'available', 'r1 feed-a feed-b', 'none whatever']];
  const narrow = formatTable(columns, rows, 28).split('\n');
  t.deepEqual(narrow, ['NAME  TYPE       STATE     …', 'r1u1  bare met…  availab…']);
  t.true(narrow.every((line) => line.length <= 28));
  t.false(formatTable(columns, rows, 60).includes('…\n'));
});

test('a column that says nothing takes no room where there is little', (t) => {
  const columns = ['NAME', 'PROBLEM', 'STATE'].map((title, at) => ({
    title,
    value: (row: readonly string[]) => row[at] ?? '',
  }));
  const rows = [['r1u1', '', 'available']];
  t.is(formatTable(columns, rows, 20), 'NAME  STATE\nr1u1  available');
  t.is(formatTable(columns, rows), 'NAME  PROBLEM  STATE\nr1u1  -        available');
  t.is(formatTable(columns, [], 10), 'NAME  PROBLEM  STATE');
});

test('a table lines up and keeps control characters from the terminal', (t) => {
  const columns = [
    { title: 'NAME', value: (row: string) => row },
    { title: 'X', value: () => '' },
  ];
  t.is(formatTable(columns, ['a', 'longer']), 'NAME    X\na       -\nlonger  -');
  t.is(printable('a\u001b[31mred\u0007\u202e'), 'ared  ');
});

test('amounts of bytes are sizes, of all else numbers', (t) => {
  t.is(formatAmount('runm.memory', 3n * 2n ** 29n), '1.5 GiB');
  t.is(formatAmount('runm.storage.block', 0n), '0');
  t.is(formatAmount('runm.cpu.shared', 2n ** 40n), '1099511627776');
});

test('amounts over time are told in hours, however short or long', (t) => {
  const hours = ['0', '20', '3600', '9000', '36000', '123456', `${10n ** 30n}`];
  t.deepEqual(
    hours.slice(0, 6).map((one) => formatAmountHours('runm.machine.whole', one)),
    ['0 h', '0.01 h', '1 h', '2.5 h', '10 h', '34.3 h'],
  );
  t.is(formatAmountHours('runm.memory', String(3n * 2n ** 29n * 3600n)), '1.5 GiB h');
  t.regex(formatAmountHours('runm.machine.whole', hours[6] ?? ''), /^\d/);
});

test('a span is written as it is read', (t) => {
  for (const text of ['0s', '45s', '1h30m', '2d12h', '21d']) {
    t.is(spanText(parseSpanSeconds(text, 'x')), text);
  }
});

test('a day and an hour are local, and so is a date alone', (t) => {
  const now = new Date(2026, 2, 1, 12);
  t.deepEqual(parseTime('today', 'x', now), new Date(2026, 2, 1));
  t.deepEqual(parseTime('yesterday', 'x', now), new Date(2026, 1, 28));
  t.deepEqual(parseTime('yesterday 18:30', 'x', now), new Date(2026, 1, 28, 18, 30));
  t.deepEqual(parseTime('today 18:30', 'x', now), new Date(2026, 2, 1, 18, 30));
  t.deepEqual(parseTime('tomorrow 9:05', 'x', now), new Date(2026, 2, 2, 9, 5));
  t.deepEqual(parseTime('2026-03-04', 'x', now), new Date(2026, 2, 4));
  t.deepEqual(parseTime('7d ago', 'x', now), new Date(now.getTime() - 7 * 86_400_000));
  for (const wrong of ['today 24:00', 'today 9', 'long ago', '2026-13-01']) {
    t.throws(() => parseTime(wrong, '--from', now), { message: /--from/ });
  }
});
