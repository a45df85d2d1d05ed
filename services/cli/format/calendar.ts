/**
 * A text picture of who holds what when: a line a provider, a column a slot of time, a letter a
 * claim. Pure, so that a test reads it as people do.
 */
export type CalendarHold = {
  /** Provider that is held. */
  readonly provider: string;
  /** What the letter stands for; holds of the same claim share it. */
  readonly claim: string;
  readonly fromMs: number;
  /** Infinity: for ever. */
  readonly toMs: number;
};

export type CalendarRequest = {
  /** In the order in which they are drawn. */
  readonly providers: readonly string[];
  readonly holds: readonly CalendarHold[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly width: number;
  /** IANA name of the time zone in which days begin. Absent: the local one. */
  readonly timeZone?: string | undefined;
};

export type Calendar = {
  readonly lines: readonly string[];
  /** Letter of each claim that is drawn, in the order of their begins. */
  readonly letters: ReadonlyMap<string, string>;
  /** Milliseconds of a column. */
  readonly slotMs: number;
  /** Whether a column shows more than one claim. */
  readonly hasSeveral: boolean;
};

type Clock = (ms: number) => number;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Slots that fill a day evenly, so that days begin at a column. */
const SLOTS_MS = [
  ...[1, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 4, 6, 8, 12].map((hours) => hours * HOUR),
];
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
export const FREE = '·';
/** More than nine claims; so many up to nine are told by their digit. */
export const MANY = '+';
export const OTHER = '#';

export const drawCalendar = (request: CalendarRequest): Calendar => {
  const { providers, holds, toMs } = request;
  const labelWidth = Math.min(Math.max(8, ...providers.map((name) => name.length)), 24);
  const room = Math.max(12, request.width - labelWidth - 2);
  const msOfDay = clockOf(request.timeZone);
  const { fromMs, slotMs } = slotsFor(request, { room, msOfDay });
  const slots = Math.max(1, Math.ceil((toMs - fromMs) / slotMs));
  const drawn = holds.filter((one) => one.fromMs < toMs && one.toMs > fromMs);
  const letters = lettersOf(drawn);
  const byProvider = Map.groupBy(drawn, (one) => one.provider);
  const cellsOf = (provider: string): string =>
    Array.from({ length: slots }, (_, at) => {
      const begin = fromMs + at * slotMs;
      return cell(byProvider.get(provider) ?? [], begin, begin + slotMs, letters);
    }).join('');
  const rows = providers.map((provider) => ({ provider, cells: cellsOf(provider) }));
  const indent = ' '.repeat(labelWidth + 2);
  const lines = [
    ...axis({ fromMs, slotMs, slots, msOfDay, timeZone: request.timeZone }).map(
      (line) => indent + line,
    ),
    ...rows.map(({ provider, cells }) => `${shortened(provider, labelWidth)}  ${cells}`),
  ];
  const hasSeveral = rows.some(({ cells }) => /[2-9+]/.test(cells));
  return { lines: lines.map((line) => line.trimEnd()), letters, slotMs, hasSeveral };
};

/** The shortest slot with which the span fits, and the begin of the slot that holds its begin. */
const slotsFor = (
  { fromMs, toMs }: CalendarRequest,
  { room, msOfDay }: { room: number; msOfDay: Clock },
) => {
  const sinceMidnight = msOfDay(fromMs);
  const aligned = (slotMs: number) =>
    slotMs >= DAY ? fromMs - sinceMidnight : fromMs - (sinceMidnight % slotMs);
  const fits = (slotMs: number) => Math.ceil((toMs - aligned(slotMs)) / slotMs) <= room;
  const days = Math.max(1, Math.ceil((toMs - aligned(DAY)) / DAY / room));
  const slotMs = SLOTS_MS.find(fits) ?? days * DAY;
  return { fromMs: aligned(slotMs), slotMs };
};

const lettersOf = (holds: readonly CalendarHold[]): Map<string, string> => {
  const begins = new Map<string, number>();
  for (const { claim, fromMs } of holds) {
    begins.set(claim, Math.min(fromMs, begins.get(claim) ?? Infinity));
  }
  const order = [...begins].toSorted(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
  return new Map(order.map(([claim], at) => [claim, LETTERS[at] ?? OTHER]));
};

const cell = (
  holds: readonly CalendarHold[],
  begin: number,
  end: number,
  letters: ReadonlyMap<string, string>,
): string => {
  const claims = new Set(
    holds.filter((one) => one.fromMs < end && one.toMs > begin).map((one) => one.claim),
  );
  const [only] = claims;
  if (only === undefined) return FREE;
  if (claims.size > 1) return claims.size > 9 ? MANY : String(claims.size);
  return letters.get(only) ?? OTHER;
};

type Axis = {
  readonly fromMs: number;
  readonly slotMs: number;
  readonly slots: number;
  readonly msOfDay: Clock;
  readonly timeZone: string | undefined;
};

/** A line of days, and one of hours where a day has room for them. */
const axis = ({ fromMs, slotMs, slots, msOfDay, timeZone }: Axis): string[] => {
  const days: Mark[] = [];
  const hours: Mark[] = [];
  const day = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', timeZone });
  const month = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone });
  const isLong = slotMs >= 12 * HOUR;
  const hourEvery = [1, 2, 3, 4, 6, 12].find((every) => (every * HOUR) / slotMs >= 4) ?? 24;
  for (let at = 0; at < slots; at += 1) {
    const ms = fromMs + at * slotMs;
    const since = msOfDay(ms);
    const isMidnight = since < slotMs || slotMs >= DAY;
    const isPartial = !isMidnight;
    if (at === 0 || isMidnight)
      days.push({ at, text: (isLong ? month : day).format(ms), isPartial });
    if (since % (hourEvery * HOUR) === 0) {
      hours.push({ at, text: String(since / HOUR).padStart(2, '0') });
    }
  }
  const hasHours = hourEvery < 12 && slotMs < DAY;
  return (hasHours ? [days, hours] : [days]).map((marks) => layOut(marks, slots));
};

type Mark = { readonly at: number; readonly text: string; readonly isPartial?: boolean };

/**
 * Texts at columns. One that would touch the one before it or stand over the edge is left out, and
 * so is the first, where the day that it names has no room for it.
 */
const layOut = (marks: readonly Mark[], width: number): string => {
  const [first, second] = marks;
  const isNarrow = first?.isPartial && second && second.at <= first.at + first.text.length;
  let line = '';
  for (const { at, text } of isNarrow ? marks.slice(1) : marks) {
    const fits = (line === '' || at > line.length) && at + text.length <= width;
    if (fits) line = line.padEnd(at) + text;
  }
  return line;
};

const shortened = (name: string, width: number): string =>
  name.length <= width ? name.padEnd(width) : `${name.slice(0, width - 1)}…`;

/** Milliseconds since midnight there. */
const clockOf = (timeZone: string | undefined): Clock => {
  const clock = new Intl.DateTimeFormat('en-GB', {
    timeStyle: 'medium',
    hourCycle: 'h23',
    timeZone,
  });
  return (ms) => {
    const [hour = 0, minute = 0, second = 0] = clock.format(ms).split(':').map(Number);
    return hour * HOUR + minute * MINUTE + second * 1000 + (ms % 1000);
  };
};
