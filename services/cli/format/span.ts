import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';
import { timestampDate } from '@bufbuild/protobuf/wkt';
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

/** "2026-03-01T14:05Z", "tomorrow", "now", "in 2h" or a local "2026-03-01 14:05" as a Date. */
export const parseTime = (text: string, what: string, now: Date): Date => {
  if (text === 'now') return now;
  if (text === 'tomorrow') return new Date(now.getTime() + 86_400_000);
  if (text.startsWith('in ')) {
    return new Date(now.getTime() + parseSpanSeconds(text.slice(3).trim(), what) * 1000);
  }
  const parsed = new Date(text.replace(/^(\d{4}-\d{2}-\d{2}) (\d)/, '$1T$2'));
  if (Number.isNaN(parsed.getTime())) {
    throw new UsageError(
      `${what}: "${text}" is not a time`,
      'write it like 2026-03-01T14:05Z, "2026-03-01 14:05", tomorrow or "in 2h"',
    );
  }
  return parsed;
};
