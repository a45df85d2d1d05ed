/**
 * ReportUsage: what was used in a span of time, from the claims in memory and from the past ones in
 * SQL. An ended claim is in both for a day and counts once.
 */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type ReportUsageRequest,
  type ReportUsageResponse,
  ReportUsageResponseSchema,
  UsageKey as UsageKeyMessage,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import type { Access } from '../../runtime/access.ts';
import type { Clock } from '../../runtime/clock.ts';
import { callOf } from '../../runtime/context.ts';
import { isWildcard } from '../../runtime/names.ts';
import { useOf } from '../domain/claim-use.ts';
import type { Interval } from '../domain/hold.ts';
import { createUsageReport, type UsageKey, type UsageReport } from '../domain/usage-report.ts';
import type { PartitionView } from '../ports.ts';
import { invalidField, momentOf } from './claim-request.ts';
import { claimsBelow, parentOf, viewsOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { createTurns } from './turns.ts';

const KEYS: ReadonlyMap<UsageKeyMessage, UsageKey> = new Map<UsageKeyMessage, UsageKey>([
  [UsageKeyMessage.PROJECT, 'project'],
  [UsageKeyMessage.USER, 'user'],
  [UsageKeyMessage.CONSUMER_TYPE, 'consumer-type'],
]);

/** Reports that may wait for the one that is being made. */
const WAITING_MAX = 64;

type ReportUsage = (
  request: ReportUsageRequest,
  context: HandlerContext,
) => Promise<ReportUsageResponse>;

/** One report at a time: a large one takes a second of the processor and some 200 MB. */
export const createReportUsage = (deps: RpcDeps): ReportUsage => {
  const turns = createTurns(WAITING_MAX);
  return (request, context) => {
    const { identity, signal } = callOf(context);
    return turns(identity.principal, () => reportUsage(deps, request, context), signal);
  };
};

const reportUsage = async (
  deps: RpcDeps,
  request: ReportUsageRequest,
  context: HandlerContext,
): Promise<ReportUsageResponse> => {
  const { access, signal } = callOf(context);
  const parent = parentOf(request.parent);
  const views = await viewsOf(deps, parent, signal);
  const span = spanOf(request, Math.max(...views.map((view) => view.nowMs()), 0));
  const keys = request.keys.flatMap((key) => KEYS.get(key) ?? []);
  const report = createUsageReport(span, keys.length === 0 ? ['project'] : keys);
  const scope = { views, project: parent.project, access };
  const counted = await addPresent(deps.clock, report, { ...scope, signal });
  const pages = deps.pastUses.pages({
    fromMs: span.fromMs,
    untilMs: span.toMs,
    partition: isWildcard(parent.partition) ? undefined : parent.partition,
    project: isWildcard(parent.project) ? undefined : parent.project,
    access,
  });
  for await (const uses of pages) {
    signal.throwIfAborted();
    for (const use of uses) if (!counted.has(use.claimUid)) report.add(use);
  }
  return create(ReportUsageResponseSchema, {
    rows: report.rows().map(({ amountSeconds, ...row }) => ({
      ...row,
      amountSeconds: String(amountSeconds),
    })),
  });
};

const spanOf = ({ from, until }: ReportUsageRequest, nowMs: number): Interval => {
  if (from === undefined) throw invalidField('from', 'must be given');
  const fromMs = momentOf(from, 'from');
  const toMs = Math.min(until === undefined ? nowMs : momentOf(until, 'until'), nowMs);
  if (toMs > fromMs) return { fromMs, toMs };
  throw invalidField(until === undefined ? 'from' : 'until', 'must leave a span that has begun');
};

type Present = {
  readonly views: readonly PartitionView[];
  readonly project: string;
  readonly access: Access;
  readonly signal: AbortSignal;
};

/** Claims after which others get the processor. */
const BREATH = 2_000;

/** Uids of the claims that were counted; what history tells of them meanwhile is the same. */
const addPresent = async (
  clock: Clock,
  report: UsageReport,
  { views, project, access, signal }: Present,
): Promise<ReadonlySet<string>> => {
  const counted = new Set<string>();
  let looks = 0;
  for (const { claim } of claimsBelow(views, { project, access, after: undefined })) {
    looks += 1;
    if (looks % BREATH === 0) await clock.sleep(0, signal);
    counted.add(claim.uid);
    const use = useOf(claim);
    if (use === undefined) continue;
    for (const [resourceType, amount] of use.amounts) report.add({ ...use, resourceType, amount });
  }
  return counted;
};
