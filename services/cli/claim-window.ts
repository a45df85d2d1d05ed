import { type Timestamp, timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { ClaimSpec } from '../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import type { Args, Context } from './command.ts';
import { parseSpanSeconds, parseTime } from './format/span.ts';
import { UsageError } from './usage-error.ts';

export type TypedWindow = { readonly acquireTime?: Timestamp; readonly releaseTime?: Timestamp };

/** The window that the options say; what they do not say is left out. */
export const typedWindow = (context: Context, args: Args): TypedWindow => {
  const now = context.clock.now();
  const [from, until, span] = [args.string('from'), args.string('until'), args.string('for')];
  if (span !== undefined && until !== undefined) {
    throw new UsageError('--for and --until exclude each other');
  }
  const begin = from === undefined ? undefined : parseTime(from, '--from', now);
  const end = endOf({ begin: begin ?? now, now, until, span });
  if (end && end.getTime() <= (begin ?? now).getTime()) {
    throw new UsageError('the window ends before it begins', 'see --from, --until and --for');
  }
  return {
    ...(begin && { acquireTime: timestampFromDate(begin) }),
    ...(end && { releaseTime: timestampFromDate(end) }),
  };
};

type End = {
  readonly begin: Date;
  readonly now: Date;
  readonly until: string | undefined;
  readonly span: string | undefined;
};

const endOf = ({ begin, now, until, span }: End): Date | undefined => {
  if (until !== undefined) return parseTime(until, '--until', now);
  if (span === undefined) return undefined;
  const seconds = parseSpanSeconds(span, '--for');
  if (seconds === 0) throw new UsageError('--for: the span is empty');
  return new Date(begin.getTime() + seconds * 1000);
};

/**
 * Seconds of a window that has an end. One without a begin runs from now, and is told in whole
 * minutes: some time has gone by since it was typed.
 */
export const windowSeconds = (
  { acquireTime, releaseTime }: Partial<ClaimSpec>,
  now: Date,
): number | undefined => {
  if (!releaseTime) return undefined;
  const toMs = timestampDate(releaseTime).getTime();
  if (acquireTime) return (toMs - timestampDate(acquireTime).getTime()) / 1000;
  return Math.max(1, Math.round((toMs - now.getTime()) / 60_000)) * 60;
};
