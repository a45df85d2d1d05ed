import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import test from 'ava';
import { ClaimState } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type ClaimAllocation,
  ClaimAllocationSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import {
  type CalendarHold,
  type CalendarRequest,
  drawCalendar,
} from '../../../services/cli/format/calendar.ts';
import { calendarText } from '../../../services/cli/format/calendar-legend.ts';

const ms = (text: string): number => Date.parse(text);
const hold = (provider: string, claim: string, from: string, to?: string): CalendarHold => ({
  provider,
  claim,
  fromMs: ms(from),
  toMs: to === undefined ? Infinity : ms(to),
});

const requestFor = (from: string, to: string, more: Partial<CalendarRequest> = {}) => ({
  providers: ['metal-01', 'metal-02', 'metal-03'],
  holds: [
    hold('metal-01', 'train', '2026-03-01T10:00Z', '2026-03-03T10:00Z'),
    hold('metal-01', 'web', '2026-03-03T11:00Z', '2026-03-04T10:00Z'),
    hold('metal-02', 'web', '2026-03-03T11:00Z', '2026-03-04T10:00Z'),
    hold('metal-02', 'db', '2026-03-06T11:00Z'),
  ],
  fromMs: ms(from),
  toMs: ms(to),
  width: 80,
  timeZone: 'UTC',
  ...more,
});
const WEEK = requestFor('2026-03-01T13:20Z', '2026-03-08T13:20Z');

const picture = test.macro((t, request: CalendarRequest, ...lines: string[]) => {
  t.is(drawCalendar(request).lines.join('\n'), lines.join('\n'));
});

test(
  'a week is drawn in columns of three hours, and a day begins at a column',
  picture,
  WEEK,
  '              Mon 2   Tue 3   Wed 4   Thu 5   Fri 6   Sat 7   Sun 8',
  'metal-01  AAAAAAAAAAAAAAA2BBBBBBBB·································',
  'metal-02  ···············BBBBBBBBB···············CCCCCCCCCCCCCCCCCC',
  'metal-03  ·························································',
);

test(
  'a day has a line of hours, in the time zone of who reads it',
  picture,
  requestFor('2026-03-02T23:20Z', '2026-03-03T23:20Z', { timeZone: 'Europe/Berlin' }),
  '          Tue 3',
  '          00  02  04  06  08  10  12  14  16  18  20  22',
  'metal-01  AAAAAAAAAAAAAAAAAAAAAA··BBBBBBBBBBBBBBBBBBBBBBBBB',
  'metal-02  ························BBBBBBBBBBBBBBBBBBBBBBBBB',
  'metal-03  ·················································',
);

test(
  'months are drawn in columns of days',
  picture,
  requestFor('2026-02-28T13:20Z', '2026-04-20T13:20Z'),
  '          28 Feb 7 Mar 13 Mar 20 Mar 27 Mar 3 Apr 9 Apr 15 Apr',
  'metal-01  ·AA2B···············································',
  'metal-02  ···BB·CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC',
  'metal-03  ····················································',
);

test('no line is wider than what there is, however long the span and the names', (t) => {
  for (const width of [40, 80, 81, 200]) {
    for (const days of [0.05, 1, 7, 30, 365, 3650]) {
      const from = '2026-03-28T22:17Z';
      const to = new Date(ms(from) + days * 86_400_000).toISOString();
      const providers = ['metal-01', 'a-provider-with-a-name-of-its-own-and-more'];
      const { lines } = drawCalendar(
        requestFor(from, to, { width, providers, timeZone: 'Europe/Berlin' }),
      );
      const widest = Math.max(...lines.map((line) => line.length));
      t.true(widest <= width, `${widest} of ${width} columns for ${days} days`);
    }
  }
});

test('what only touches the span is not drawn, and what lasts for ever goes to the edge', (t) => {
  const { lines, letters } = drawCalendar(
    requestFor('2026-03-04T10:00Z', '2026-03-06T11:00Z', { providers: ['metal-02'] }),
  );
  t.deepEqual([...letters.keys()], []);
  t.regex(lines.at(-1) ?? '', /^metal-02 {2}·+$/);
});

test('of a shared provider it is told how many claims are on it', (t) => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) =>
      hold('host', `c${at}`, '2026-03-01T00:00Z', '2026-03-09T00:00Z'),
    );
  const row = (count: number) =>
    drawCalendar({ ...WEEK, providers: ['host'], holds: many(count) }).lines.at(-1) ?? '';
  t.regex(row(3), /^host {6}3+$/);
  t.regex(row(9), /^host {6}9+$/);
  t.regex(row(10), /^host {6}\++$/);
});

test('beyond 52 claims the letters end', (t) => {
  const holds = Array.from({ length: 60 }, (_, at) =>
    hold('metal-01', `c${at}`, '2026-03-01T00:00Z', '2026-03-02T00:00Z'),
  );
  const { letters } = drawCalendar({ ...WEEK, holds });
  t.is(letters.get('c0'), 'A');
  t.is([...letters.values()].filter((letter) => letter === '#').length, 8);
});

const allocation = (claim: string, from: string, to?: string): ClaimAllocation =>
  create(ClaimAllocationSchema, {
    claim: `partitions/lab/projects/red/claims/${claim}`,
    claimUid: claim,
    acquireTime: timestampFromDate(new Date(from)),
    ...(to && { releaseTime: timestampFromDate(new Date(to)) }),
    state: claim === 'db' ? ClaimState.PENDING : ClaimState.ACTIVE,
    ...(claim === 'db' && {
      consumer: { name: 'partitions/lab/projects/red/machines/db-1', uid: 'x', type: 't' },
    }),
  });

test('below the picture each letter is told: who, from when, until when', (t) => {
  const text = calendarText(drawCalendar(WEEK), {
    ...WEEK,
    allocations: [
      allocation('train', '2026-03-01T10:00Z', '2026-03-03T10:00Z'),
      allocation('web', '2026-03-03T11:00Z', '2026-03-04T10:00Z'),
      allocation('db', '2026-03-06T11:00Z'),
    ],
  });
  const lines = [
    'Sun 1 Mar 13:20 to Sun 8 Mar 13:20 UTC, a column is 3h',
    '',
    '              Mon 2   Tue 3   Wed 4   Thu 5   Fri 6   Sat 7   Sun 8',
    'metal-01  AAAAAAAAAAAAAAA2BBBBBBBB·································',
    'metal-02  ···············BBBBBBBBB···············CCCCCCCCCCCCCCCCCC',
    'metal-03  ·························································',
    '',
    '   CLAIM      FROM             UNTIL            STATE    FOR',
    'A  red/train  Sun 1 Mar 10:00  Tue 3 Mar 10:00  active   -',
    'B  red/web    Tue 3 Mar 11:00  Wed 4 Mar 10:00  active   -',
    'C  red/db     Fri 6 Mar 11:00  for ever         pending  db-1',
    '· free   2…9 so many claims, + more',
  ];
  t.is(text, lines.join('\n'));
});

test('the claim that a machine made for itself is told by the machine, and its end is not cut', (t) => {
  const claim = 'machine-01a21b36-0be7-76a6-a534-611cfe0d5670';
  const consumer = { name: 'partitions/lab/projects/red/machines/bench-1', uid: 'x', type: 't' };
  const { acquireTime, ...rest } = allocation(claim, '2026-03-01T10:00Z');
  const { claim: name, claimUid, state } = rest;
  const own = { claim: name, claimUid, state, consumer, ...(acquireTime && { acquireTime }) };
  const holds = [hold('metal-01', claim, '2026-03-01T10:00Z', '2026-03-08T10:00Z')];
  const allocations = [create(ClaimAllocationSchema, own)];
  const text = calendarText(drawCalendar({ ...WEEK, holds }), { ...WEEK, width: 60, allocations });
  t.regex(text, /^A {2}red\/bench-1 .*for ever/m);
  t.true(
    text
      .split('\n')
      .slice(7)
      .every((line) => line.length <= 60),
  );
});
