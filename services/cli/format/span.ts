import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';
import { timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { UsageError } from '../usage-error.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/**
 * Seconds of a span as people write it: "30s", "5m", "4h", "1h30m", "7d"; a bare number is seconds.
 */
export const parseSpanSeconds = (text: string, what: string): number => {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const parts = [...text.matchAll(/(\d{1,9})([smhdw])/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new UsageError(
      `${what}: "${text}" is not a span of time`,
      'write it like 30s, 5m, 4h or 7d',
    );
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * (SECONDS[part[2] ?? 's'] ?? 1), 0);
};

export const secondsToDuration = (seconds: number): Pick<Duration, 'seconds' | 'nanos'> => ({
  seconds: BigInt(seconds),
  nanos: 0,
});

/** "3.2 s", "4 min", "2 h 5 min", "3 days". */
export const formatSpanMs = (ms: number): string => {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.round(hours / 24)} days`;
};

/** As one types it: "7d", "2d12h", "1h30m", "45s"; parseSpanSeconds reads it back. */
export const spanText = (seconds: number): string => {
  let left = Math.round(seconds);
  const parts = (['d', 'h', 'm', 's'] as const).flatMap((unit) => {
    const size = SECONDS[unit] ?? 1;
    const many = Math.floor(left / size);
    left -= many * size;
    return many > 0 ? [`${many}${unit}`] : [];
  });
  return parts.join('') || '0s';
};

/** "4 min ago", "in 2 h"; "-" when absent. */
export const formatAgo = (time: Timestamp | undefined, now: Date): string => {
  if (!time) return '-';
  const differenceMs = now.getTime() - timestampDate(time).getTime();
  if (Math.abs(differenceMs) < 1000) return 'now';
  return differenceMs > 0
    ? `${formatSpanMs(differenceMs)} ago`
    : `in ${formatSpanMs(-differenceMs)}`;
};

/** Local time with its zone: "2026-03-01 14:05:09 CET". */
export const formatLocalTime = (time: Timestamp | undefined): string => {
  if (!time) return '-';
  const date = timestampDate(time);
  const parts = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
  }).format(date);
  const zone = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' })
    .formatToParts(date)
    .find((part) => part.type === 'timeZoneName')?.value;
  return `${parts} ${zone ?? 'UTC'}`;
};

const ISO_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/;

/**
 * "2026-03-01T14:05Z", "now", "today" and "yesterday" (their begin), "tomorrow" (in 24 hours),
 * "in 2h", "+2h", "7d ago", or local: "today 18:00", "tomorrow 9:30", "2026-03-01 14:05",
 * "2026-03-01".
 */
export const parseTime = (text: string, what: string, now: Date): Date => {
  if (text === 'now') return now;
  if (text === 'today' || text === 'yesterday') return onDay(now, text, [0, 0]);
  if (text === 'tomorrow') return new Date(now.getTime() + 86_400_000);
  const ahead = /^(?:in |\+)(.*)$/.exec(text)?.[1];
  if (ahead !== undefined) {
    return new Date(now.getTime() + parseSpanSeconds(ahead.trim(), what) * 1000);
  }
  if (text.endsWith(' ago')) {
    return new Date(now.getTime() - parseSpanSeconds(text.slice(0, -4).trim(), what) * 1000);
  }
  const day = /^(yesterday|today|tomorrow) (\d{1,2}):(\d{2})$/.exec(text);
  // A date alone would be taken as UTC.
  const local = text
    .replace(/^(\d{4}-\d{2}-\d{2})$/, '$1T00:00')
    .replace(/^(\d{4}-\d{2}-\d{2}) (\d)/, '$1T$2');
  // Date alone would take almost any text for some time.
  const parsed = day ? timeOf(now, day) : new Date(ISO_TIME.test(local) ? local : Number.NaN);
  if (Number.isNaN(parsed.getTime())) {
    throw new UsageError(
      `${what}: "${text}" is not a time`,
      'write it like 2026-03-01T14:05Z, "2026-03-01 14:05", "tomorrow 14:00" or "in 2h"',
    );
  }
  return parsed;
};

/** A time that need not be given, as messages hold it. */
export const optionalTime = (
  text: string | undefined,
  what: string,
  now: Date,
): Timestamp | undefined =>
  text === undefined ? undefined : timestampFromDate(parseTime(text, what, now));

const timeOf = (now: Date, [, day = '', hour, minute]: RegExpExecArray): Date => {
  if (Number(hour) > 23 || Number(minute) > 59) return new Date(Number.NaN);
  return onDay(now, day, [Number(hour), Number(minute)]);
};

const DAYS: Readonly<Record<string, number>> = { yesterday: -1, today: 0, tomorrow: 1 };

const onDay = (now: Date, day: string, [hour, minute]: readonly [number, number]): Date => {
  const at = new Date(now);
  at.setDate(at.getDate() + (DAYS[day] ?? 0));
  at.setHours(hour, minute, 0, 0);
  return at;
};
