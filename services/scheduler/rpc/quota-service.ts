import { create } from '@bufbuild/protobuf';
import { createClient, type HandlerContext } from '@connectrpc/connect';
import type { Quota } from '../../../gen/runmachine/scheduler/v1/quota_pb.ts';
import {
  type GetQuotaRequest,
  type ListQuotasRequest,
  ListQuotasResponseSchema,
  QuotaService,
  type SetQuotaRequest,
  type SetUserQuotasRequest,
} from '../../../gen/runmachine/scheduler/v1/quota_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { aborted, type DomainError, isDomainError, notFound } from '../../runtime/errors.ts';
import { isWildcard, namePattern } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { checkEtag, closePage, etagOf, openPage } from '../../store/sql/page.ts';
import { keyOf } from '../domain/claim.ts';
import type { Command } from '../domain/command.ts';
import { type Limits, type QuotaRecord, quotaIdentity } from '../domain/quota.ts';
import type { QuotaUses } from '../domain/quota-book.ts';
import type { LocalLeader, PartitionView } from '../ports.ts';
import { assertRunsPartition, atLeader } from './claim-calls.ts';
import { projectNotFound } from './claim-creation.ts';
import { compareKeys, parentOf, viewOf, viewsOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { originOf } from './origin.ts';
import { quotaMessage, quotaOf, userQuotasOf } from './quota-message.ts';
import { unknownResourceType } from './request-names.ts';

export const quotaRpc = (deps: RpcDeps): Implementation =>
  implement(QuotaService, {
    getQuota: async (request, context) => ({ quota: await getQuota(deps, request, context) }),
    listQuotas: (request, context) => listQuotas(deps, request, context),
    setQuota: async (request, context) => ({ quota: await setQuota(deps, request, context) }),
    setUserQuotas: async (request, context) => ({
      quota: await setUserQuotas(deps, request, context),
    }),
  });

const QUOTA_NAME = namePattern('partitions/{partition}/projects/{project}/quota');

type Named = {
  readonly view: PartitionView;
  /** As metadata spells it. */
  readonly project: string;
  readonly ancestors: readonly string[];
};

/** Errors: not_found for what does not exist, or what the caller may not see. */
const named = async (deps: RpcDeps, name: string, context: HandlerContext): Promise<Named> => {
  const parsed = QUOTA_NAME.parse(name);
  const { access, signal } = callOf(context);
  const isPlace =
    parsed !== undefined && !isWildcard(parsed.partition) && !isWildcard(parsed.project);
  if (!isPlace || !access.covers(parsed)) throw quotaNotFound(name);
  const view = await viewOf(deps, parsed.partition, signal);
  const project = await deps.projects.find(parsed.project, signal);
  if (project === undefined) throw projectNotFound(parsed.project);
  return { view, project: project.id, ancestors: project.ancestors };
};

const quotaNotFound = (name: string): DomainError =>
  notFound('NOT_FOUND', `The quota "${name}" does not exist`, {
    metadata: { name, type: 'runm.quota' },
  });

/** The leader knows exactly what counts; without one it is told as far as it is known here. */
const getQuota = async (
  deps: RpcDeps,
  request: GetQuotaRequest,
  context: HandlerContext,
): Promise<Quota | undefined> => {
  const at = await named(deps, request.name, context);
  try {
    return await atLeader(deps, context, at.view, {
      local: async (leader) => quotaAt(deps, at, leader),
      remote: async (transport, options) =>
        (await createClient(QuotaService, transport).getQuota(request, options)).quota,
    });
  } catch (error) {
    if (!isDomainError(error, 'unavailable')) throw error;
    const { view, project } = at;
    return followedQuota(deps, view, { project, uses: view.quotaUses([project]) });
  }
};

const quotaAt = ({ incarnation }: RpcDeps, { view, project }: Named, leader: LocalLeader): Quota =>
  leader.glance(({ quotas }, nowMs) =>
    quotaMessage({
      partition: view.partition,
      project,
      record: quotas.find(project),
      uses: quotas.uses(project, nowMs),
      incarnation: incarnation(),
    }),
  );

type Followed = { readonly project: string; readonly uses: QuotaUses };

const followedQuota = (
  { incarnation }: RpcDeps,
  view: PartitionView,
  { project, uses }: Followed,
): Quota =>
  quotaMessage({
    partition: view.partition,
    project,
    record: view.quota(project),
    uses: uses.get(keyOf(project)) ?? [],
    incarnation: incarnation(),
  });

/** As it was granted, with what is used by now. */
const setAt = async (
  deps: RpcDeps,
  at: Named,
  { leader, command, signal }: { leader: LocalLeader; command: Command; signal: AbortSignal },
): Promise<Quota> => {
  const granted = await leader.submit(command, signal);
  const { view, project } = at;
  return quotaMessage({
    partition: view.partition,
    project,
    record: granted.kind === 'quota' ? granted.quota : undefined,
    uses: leader.glance(({ quotas }, nowMs) => quotas.uses(project, nowMs)),
    incarnation: deps.incarnation(),
  });
};

const listQuotas = async (deps: RpcDeps, request: ListQuotasRequest, context: HandlerContext) => {
  const { access, signal } = callOf(context);
  const parent = parentOf(request.parent);
  const views = await viewsOf(deps, parent, signal);
  const page = openPage({
    pageSize: request.pageSize,
    pageToken: request.pageToken,
    otherArguments: keyOf(request.parent),
    incarnation: deps.incarnation(),
    sizeDefault: 100,
    sizeMax: 1000,
  });
  const after = (page.after ?? []).map(String);
  const found = views
    .flatMap((view) => [...view.quotas()].map((record) => ({ view, record })))
    .filter(({ view, record: { project } }) => {
      const isAsked = isWildcard(parent.project) || keyOf(project) === keyOf(parent.project);
      return isAsked && access.covers({ partition: view.partition, project });
    })
    .map((one) => ({ ...one, key: [keyOf(one.record.project), keyOf(one.view.partition)] }))
    .filter(({ key }) => page.after === undefined || compareKeys(key, after) > 0)
    .sort((a, b) => compareKeys(a.key, b.key))
    .slice(0, page.limit);
  const { rows, nextPageToken } = closePage(page, found, ({ key }) => key);
  const byView = Map.groupBy(rows, ({ view }) => view);
  const uses = new Map(
    [...byView].map(([view, its]) => [
      view,
      view.quotaUses(its.map(({ record }) => record.project)),
    ]),
  );
  return create(ListQuotasResponseSchema, {
    quotas: rows.map(({ view, record: { project } }) =>
      followedQuota(deps, view, { project, uses: uses.get(view) ?? new Map() }),
    ),
    nextPageToken,
  });
};

const setQuota = async (
  deps: RpcDeps,
  request: SetQuotaRequest,
  context: HandlerContext,
): Promise<Quota | undefined> => {
  const { name = '', generation = 0n, etag = '', spec } = request.quota ?? {};
  const at = await named(deps, name, context);
  // Not even one who may do everything in the project decides how much it may have.
  assertRunsPartition(context, at.view.partition);
  const quota = quotaOf(spec);
  const command: Command = {
    verb: 'set-quota',
    origin: originOf(context),
    project: at.project,
    ancestors: at.ancestors,
    quota,
    precondition: (before) => {
      checkGeneration(generation, before);
      checkEtag(etag, etagIn(deps, at, before));
    },
  };
  return atLeader(deps, context, at.view, {
    local: async (leader, limit) => {
      await checkTypes(deps, [quota.limits], limit);
      return setAt(deps, at, { leader, command, signal: limit });
    },
    remote: async (transport, options) =>
      (await createClient(QuotaService, transport).setQuota(request, options)).quota,
  });
};

const setUserQuotas = async (
  deps: RpcDeps,
  request: SetUserQuotasRequest,
  context: HandlerContext,
): Promise<Quota | undefined> => {
  const at = await named(deps, request.name, context);
  const users = userQuotasOf(request.users);
  const command: Command = {
    verb: 'set-user-quotas',
    origin: originOf(context),
    project: at.project,
    ancestors: at.ancestors,
    users,
    precondition: (before) => checkEtag(request.etag, etagIn(deps, at, before)),
  };
  return atLeader(deps, context, at.view, {
    local: async (leader, limit) => {
      await checkTypes(deps, [...users.values()], limit);
      return setAt(deps, at, { leader, command, signal: limit });
    },
    remote: async (transport, options) =>
      (await createClient(QuotaService, transport).setUserQuotas(request, options)).quota,
  });
};

const etagIn = (
  { incarnation }: RpcDeps,
  { view, project }: Named,
  record: QuotaRecord | undefined,
): string => {
  const generation = record?.generation ?? 0;
  return etagOf(quotaIdentity(view.partition, { project, generation }), incarnation());
};

const checkGeneration = (given: bigint, before: QuotaRecord | undefined): void => {
  const current = before?.generation ?? 0;
  if (given === 0n || given === BigInt(current)) return;
  throw aborted('ETAG_MISMATCH', `The quota's generation is ${current}, not ${given}`, {
    metadata: { generation: String(current) },
  });
};

const checkTypes = async (
  { catalogue }: RpcDeps,
  limits: readonly Limits[],
  signal: AbortSignal,
): Promise<void> => {
  const codes = [...new Set(limits.flatMap((one) => [...one.keys()]))];
  const [unknown] = await catalogue.unknownResourceTypes(codes, signal);
  if (unknown !== undefined) throw unknownResourceType(unknown);
};
