import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import { ClaimStateSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { ClaimAllocation } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { lastSegment } from '../resource-names.ts';
import { type Calendar, FREE, MANY, OTHER } from './calendar.ts';
import { enumWord } from './enum-word.ts';
import { spanText } from './span.ts';
import { formatTable, printable } from './table.ts';

export type LegendRequest = {
  readonly allocations: readonly ClaimAllocation[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly width: number;
  /** IANA name of the time zone. Absent: the local one. */
  readonly timeZone?: string | undefined;
};

/** The picture below the time that it shows and above the meaning of its letters. */
export const calendarText = (calendar: Calendar, request: LegendRequest): string => {
  const time = shortTime(request.timeZone);
  const { fromMs, toMs, timeZone, width } = request;
  const zone = zoneOf(fromMs, timeZone);
  const slot = spanText(calendar.slotMs / 1000);
  const text = calendar.lines.slice();
  const legend = legendLines(calendar, request, time);
  return [
    `${time(fromMs)} to ${time(toMs)} ${zone}, a column is ${slot}`,
    '',
    ...text,
    '',
    ...legend.map((line) => (line.length > width ? `${line.slice(0, width - 1)}…` : line)),
  ].join('\n');
};

type ShortTime = (ms: number) => string;

/** "Sun 1 Mar 14:00" */
const shortTime = (timeZone: string | undefined): ShortTime => {
  const format = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    timeZone,
  });
  return (ms) => format.format(ms).replaceAll(',', '').replace(' at ', ' ');
};

const zoneOf = (ms: number, timeZone: string | undefined): string =>
  new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short', timeZone })
    .formatToParts(ms)
    .find((part) => part.type === 'timeZoneName')?.value ?? 'UTC';

type Row = { readonly letter: string; readonly held: ClaimAllocation };

const legendLines = (calendar: Calendar, request: LegendRequest, time: ShortTime): string[] => {
  const byClaim = new Map(request.allocations.map((one) => [one.claimUid || one.claim, one]));
  const rows = [...calendar.letters].flatMap(([claim, letter]): Row[] => {
    const held = byClaim.get(claim);
    return held && letter !== OTHER ? [{ letter, held }] : [];
  });
  const others = [...calendar.letters.values()].filter((letter) => letter === OTHER).length;
  const marks = [
    `${FREE} free`,
    ...(calendar.hasSeveral ? [`2…9 so many claims, ${MANY} more`] : []),
    ...(others ? [`${OTHER} one of ${others} more claims`] : []),
  ].join('   ');
  if (rows.length === 0) return [marks];
  const at = (stamp: Timestamp | undefined, absent: string) =>
    stamp ? time(timestampDate(stamp).getTime()) : absent;
  const columns = [
    { title: '', value: ({ letter }: Row) => letter },
    { title: 'CLAIM', value: ({ held }: Row) => claimText(held) },
    { title: 'FROM', value: ({ held }: Row) => at(held.acquireTime, 'now') },
    { title: 'UNTIL', value: ({ held }: Row) => at(held.releaseTime, 'for ever') },
    { title: 'STATE', value: ({ held }: Row) => enumWord(ClaimStateSchema, held.state) },
    { title: 'FOR', value: ({ held }: Row) => lastSegment(held.consumer?.name ?? '') },
  ];
  return [...formatTable(columns, rows, request.width).split('\n'), marks];
};

/** A machine made its own claim and named it by a uid, which nobody reads. */
const claimText = ({ claim, consumer }: ClaimAllocation): string => {
  const machine = lastSegment(consumer?.name ?? '');
  return machine !== '' && /\/machine-[0-9a-f-]{36}$/.test(claim)
    ? `${claim.split('/')[3] ?? ''}/${printable(machine)} (its own)`
    : shortName(claim);
};

/** "red/web" of "partitions/lab/projects/red/claims/web". */
const shortName = (name: string): string => {
  const [, , , project = '', , claim = ''] = name.split('/');
  return printable(claim ? `${project}/${claim}` : name);
};
