import { type Timestamp, timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { ProviderService } from '../../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { ClaimState } from '../../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type ClaimAllocation,
  ClaimAllocationSchema,
  ClaimService,
} from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Args, Command, Context } from '../../command.ts';
import { type CalendarHold, drawCalendar } from '../../format/calendar.ts';
import { calendarText } from '../../format/calendar-legend.ts';
import { parseTime } from '../../format/span.ts';
import { printable } from '../../format/table.ts';
import { showMany } from '../../output.ts';
import { allPages } from '../../pages.ts';
import { lastSegment, partitionParent } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';

/** More lines than that nobody reads; a group says which ones are meant. */
const PROVIDERS_MAX = 200;
const DAY_MS = 86_400_000;

export const calendar: Command = {
  summary: 'draw who holds what when, a line a provider',
  options: {
    group: { type: 'string', value: 'ID', help: 'providers of this group (all)' },
    from: { type: 'string', value: 'TIME', help: 'begin (now)' },
    until: { type: 'string', value: 'TIME', help: 'end' },
    days: { type: 'string', value: 'N', help: 'how many days from the begin (7)' },
  },
  examples: ['runm claim calendar --group rack1', 'runm claim calendar --from today --days 1'],
  run: async (context, args) => {
    const span = spanOf(context, args);
    const group = args.string('group') ?? '';
    const [allocations, named] = await Promise.all([
      readAllocations(context, { group, ...span }),
      readProviders(context, group),
    ]);
    const shown = { schema: ClaimAllocationSchema, name: (one: ClaimAllocation) => one.claim };
    const people = () => pictureText(context, { ...span, allocations, named });
    // Providers that nobody holds are worth a picture too.
    if (context.output.mode === 'table') context.output.result(people());
    else await showMany(context.output, shown, { rows: rowsFor(context, allocations), people });
    return undefined;
  },
};

/** Names only: each claim once, however much it holds. */
const rowsFor = (context: Context, allocations: readonly ClaimAllocation[]) =>
  context.output.mode === 'quiet'
    ? [...new Map(allocations.map((one) => [one.claim, one])).values()]
    : allocations;

type Span = { readonly from: Date; readonly until: Date };

const spanOf = (context: Context, args: Args): Span => {
  const now = context.clock.now();
  const [untilText, days] = [args.string('until'), args.string('days')];
  if (untilText !== undefined && days !== undefined) {
    throw new UsageError('--until and --days exclude each other');
  }
  if (days !== undefined && !/^[1-9]\d{0,2}$/.test(days)) {
    throw new UsageError('--days is a number from 1 to 999');
  }
  const from = parseTime(args.string('from') ?? 'now', '--from', now);
  const until =
    untilText === undefined
      ? new Date(from.getTime() + Number(days ?? 7) * DAY_MS)
      : parseTime(untilText, '--until', now);
  if (until.getTime() <= from.getTime()) throw new UsageError('the calendar ends before it begins');
  return { from, until };
};

/** Of every project that the caller may see: a calendar of one's own claims shows no gaps. */
const readAllocations = (
  context: Context,
  { group, from, until }: Span & { readonly group: string },
): Promise<ClaimAllocation[]> => {
  const client = createClient(ClaimService, context.transport());
  const request = {
    parent: `${partitionParent(context.settings)}/projects/-`,
    providerGroup: group,
    from: timestampFromDate(from),
    until: timestampFromDate(until),
    pageSize: 1000,
  };
  return allPages(async (pageToken) => {
    const answer = await client.listAllocations({ ...request, pageToken }, callOptions(context));
    return { rows: answer.allocations, nextPageToken: answer.nextPageToken };
  });
};

/** Names by uid; undefined for who may not list providers: then only those with holds are drawn. */
const readProviders = async (
  context: Context,
  group: string,
): Promise<ReadonlyMap<string, string> | undefined> => {
  const client = createClient(ProviderService, context.transport());
  const request = {
    parent: partitionParent(context.settings),
    pageSize: 1000,
    ...(group && { filter: { group } }),
  };
  try {
    const rows = await allPages(async (pageToken) => {
      const answer = await client.listProviders({ ...request, pageToken }, callOptions(context));
      return { rows: answer.providers, nextPageToken: answer.nextPageToken };
    });
    return new Map(rows.map((one) => [one.uid, lastSegment(one.name)]));
  } catch (error) {
    // To who may not see providers, the partition's are not there.
    const hidden = [Code.PermissionDenied, Code.NotFound];
    if (error instanceof ConnectError && hidden.includes(error.code)) return undefined;
    throw error;
  }
};

type Picture = Span & {
  readonly allocations: readonly ClaimAllocation[];
  readonly named: ReadonlyMap<string, string> | undefined;
};

const pictureText = (context: Context, { from, until, allocations, named }: Picture): string => {
  const nowMs = context.clock.now().getTime();
  const holds = allocations.map((one) => holdOf(one, named, nowMs));
  const names = new Set([...(named?.values() ?? []), ...holds.map((one) => one.provider)]);
  const sorted = [...names].toSorted(new Intl.Collator('en', { numeric: true }).compare);
  const width = context.output.columns;
  const providers = sorted.slice(0, PROVIDERS_MAX);
  const span = { fromMs: from.getTime(), toMs: until.getTime(), width };
  const drawn = drawCalendar({ providers, holds, ...span });
  const text = calendarText(drawn, { allocations, ...span });
  const hidden = sorted.length - providers.length;
  return hidden > 0 ? `${text}\nand ${hidden} more providers; choose some with --group` : text;
};

const msOf = (time: Timestamp | undefined): number | undefined =>
  time && timestampDate(time).getTime();

const holdOf = (
  { claimUid, claim, acquireTime, releaseTime, state, allocation }: ClaimAllocation,
  named: ReadonlyMap<string, string> | undefined,
  nowMs: number,
): CalendarHold => {
  const uid = allocation?.providerUid ?? '';
  const fromMs = msOf(acquireTime) ?? nowMs;
  const end = msOf(allocation?.finishTime) ?? msOf(releaseTime) ?? Infinity;
  // What is being given back is held until it is clean, whatever its window said.
  const isLeaving = state === ClaimState.RELEASING && !allocation?.finishTime;
  return {
    provider: printable(named?.get(uid) ?? lastSegment(allocation?.provider ?? uid)),
    claim: claimUid || claim,
    fromMs,
    toMs: isLeaving ? Math.max(fromMs, nowMs) + 1 : end,
  };
};
