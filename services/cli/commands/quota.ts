import { create } from '@bufbuild/protobuf';
import { type Duration, DurationSchema } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import {
  type Quota,
  QuotaLimitSchema,
  QuotaSchema,
  type QuotaSpec,
  QuotaSpecSchema,
  type QuotaUse,
  UserQuotaSchema,
} from '../../../gen/runmachine/scheduler/v1/quota_pb.ts';
import { QuotaService } from '../../../gen/runmachine/scheduler/v1/quota_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Args, Command, Context } from '../command.ts';
import { formatAmount, parseAmount, parseTyped } from '../format/amount.ts';
import { parseSpanSeconds, secondsToDuration, spanText } from '../format/span.ts';
import { formatFields, formatTable } from '../format/table.ts';
import { showMany, showOne } from '../output.ts';
import { allPages } from '../pages.ts';
import { atTop, partitionParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

const shown = { schema: QuotaSchema, name: (quota: Quota) => quota.name };

const clientOf = (context: Context) => createClient(QuotaService, context.transport());

/** "red" in the present partition; a full name is taken as it is. */
const quotaName = (context: Context, typed: string | undefined): string => {
  const project = typed ?? context.settings.project;
  if (project.startsWith('partitions/')) return project;
  return `${partitionParent(context.settings)}/${atTop('projects', project)}/quota`;
};

const projectOf = (quota: Quota): string => quota.name.split('/')[3] ?? quota.name;

export const get: Command = {
  summary: 'show what a project may claim and what it uses',
  positionals: [{ name: 'project', help: 'project (that of the profile)', optional: true }],
  run: async (context, args) => {
    const name = quotaName(context, args.optionalPositional('project'));
    const { quota } = await clientOf(context).getQuota({ name }, callOptions(context));
    if (!quota) throw new Error('the answer holds no quota');
    await showOne(context.output, shown, { message: quota, people: () => describeQuota(quota) });
    return undefined;
  },
};

export const list: Command = {
  summary: 'list what the projects of the partition may claim and what they use',
  run: async (context) => {
    const rows = await allPages(async (pageToken) => {
      const parent = `${partitionParent(context.settings)}/projects/-`;
      const request = { parent, pageSize: 1000, pageToken };
      const answer = await clientOf(context).listQuotas(request, callOptions(context));
      return { rows: answer.quotas, nextPageToken: answer.nextPageToken };
    });
    await showMany(context.output, shown, { rows, people: () => quotaTable(rows) });
    return undefined;
  },
};

type Row = { readonly project: string; readonly use: QuotaUse };

const USE_COLUMNS = [
  { title: 'RESOURCE', value: ({ use }: Row) => use.resourceType },
  {
    title: 'LIMIT',
    value: ({ use }: Row) => (use.limited ? formatAmount(use.resourceType, use.limit) : 'none'),
  },
  { title: 'USED', value: ({ use }: Row) => formatAmount(use.resourceType, use.used) },
  { title: 'PEAK', value: ({ use }: Row) => formatAmount(use.resourceType, use.peak) },
];

/** One line a project and resource type; a project without any limit or use keeps its line. */
export const quotaTable = (quotas: readonly Quota[]): string => {
  const rows = quotas.flatMap((quota) => {
    const uses = usesOf(quota);
    return uses.map((use): Row => ({ project: projectOf(quota), use }));
  });
  return formatTable(
    [{ title: 'PROJECT', value: ({ project }: Row) => project }, ...USE_COLUMNS],
    rows,
  );
};

const usesOf = (quota: Quota): readonly QuotaUse[] => quota.status?.uses ?? [];

export const describeQuota = (quota: Quota): string => {
  const rows = usesOf(quota).map((use): Row => ({ project: projectOf(quota), use }));
  const spec = quota.spec;
  const fields = formatFields([
    ['project', projectOf(quota)],
    [
      'claims without an end last',
      lengthText(spec?.claimLengthDefault ?? spec?.claimLengthMax, 'until released'),
    ],
    ['longest claim', lengthText(spec?.claimLengthMax, 'no limit')],
    ...(spec?.users ?? []).map((one): [string, string] => [
      one.user,
      one.limits
        .map((limit) => `${limit.resourceType} ${formatAmount(limit.resourceType, limit.amount)}`)
        .join(', '),
    ]),
  ]);
  return rows.length
    ? `${fields}\n\n${formatTable(USE_COLUMNS, rows)}`
    : `${fields}\nnothing is limited here and nothing is used`;
};

const lengthText = (length: Duration | undefined, absent: string): string =>
  length ? spanText(Number(length.seconds)) : absent;

export const set: Command = {
  summary: 'change what a project may claim; what is not named stays',
  positionals: [{ name: 'project', help: 'project' }],
  rest: {
    name: 'limit',
    help: 'TYPE=AMOUNT, for example runm.memory=64GiB; TYPE=none takes a limit away',
    optional: true,
  },
  options: {
    user: { type: 'string', value: 'NAME', help: 'limits of this user inside the project' },
    'default-length': {
      type: 'string',
      value: 'SPAN',
      help: 'length of claims without an end, for example 7d; none: until released',
    },
    'max-length': { type: 'string', value: 'SPAN', help: 'longest claim, for example 21d; none' },
  },
  examples: [
    'runm quota set red runm.memory=64GiB runm.cpu.shared=32 --default-length 7d --max-length 21d',
    'runm quota set red --user users/ada runm.cpu.shared=8',
  ],
  run: async (context, args) => {
    const name = quotaName(context, args.positional('project'));
    const changes = limitChanges(args.rest);
    const lengths = ['default-length', 'max-length'].filter(
      (one) => args.string(one) !== undefined,
    );
    const user = args.string('user');
    if (user !== undefined && lengths.length) {
      throw new UsageError(`--${lengths[0]} holds for the whole project`, 'leave --user out');
    }
    if (changes.size + lengths.length === 0) {
      throw new UsageError('nothing to change', 'give limits such as runm.memory=64GiB');
    }
    const { quota } = await clientOf(context).getQuota({ name }, callOptions(context));
    if (!quota) throw new Error('the answer holds no quota');
    const changed =
      user === undefined
        ? await setProject(context, args, { quota, changes })
        : await setUser(context, { quota, changes, user });
    if (!changed) return undefined;
    await showOne(context.output, shown, {
      message: changed,
      people: () => describeQuota(changed),
    });
    return undefined;
  },
};

/** New amount of a resource type; undefined: no limit. */
type Changes = ReadonlyMap<string, bigint | undefined>;

const limitChanges = (texts: readonly string[]): Changes =>
  new Map(
    texts.map((text) => {
      const [type, value] = parseTyped(text, 'LIMIT');
      return [type, value === 'none' ? undefined : parseAmount(type, value, type)];
    }),
  );

const changedLimits = (present: QuotaSpec['limits'], changes: Changes): QuotaSpec['limits'] => [
  ...present.filter((one) => !changes.has(one.resourceType)),
  ...[...changes].flatMap(([resourceType, amount]) =>
    amount === undefined ? [] : [create(QuotaLimitSchema, { resourceType, amount })],
  ),
];

type Change = { readonly quota: Quota; readonly changes: Changes };

/** The quota must still be as it was read: what is not named must not be set back. */
const setProject = async (context: Context, args: Args, { quota, changes }: Change) => {
  const spec = quota.spec ?? create(QuotaSpecSchema, {});
  spec.limits = changedLimits(spec.limits, changes);
  setLength(spec, 'claimLengthDefault', args.string('default-length'));
  setLength(spec, 'claimLengthMax', args.string('max-length'));
  const { name, etag, generation } = quota;
  const requestId = context.random.requestId();
  const request = { quota: { name, etag, generation, spec }, requestId };
  return (await clientOf(context).setQuota(request, callOptions(context))).quota;
};

const setLength = (
  spec: QuotaSpec,
  key: 'claimLengthDefault' | 'claimLengthMax',
  text: string | undefined,
): void => {
  if (text === undefined) return;
  if (text === 'none') {
    delete spec[key];
    return;
  }
  const seconds = parseSpanSeconds(
    text,
    key === 'claimLengthMax' ? '--max-length' : '--default-length',
  );
  if (seconds === 0) throw new UsageError('the length of a claim is more than 0 s', 'or say none');
  spec[key] = create(DurationSchema, secondsToDuration(seconds));
};

const setUser = async (
  context: Context,
  { quota, changes, user: typed }: Change & { readonly user: string },
) => {
  const user = atTop('users', typed);
  const present = quota.spec?.users ?? [];
  const limits = changedLimits(present.find((one) => one.user === user)?.limits ?? [], changes);
  const users = [
    ...present.filter((one) => one.user !== user),
    ...(limits.length ? [create(UserQuotaSchema, { user, limits })] : []),
  ];
  const { name, etag } = quota;
  const request = { name, users, etag, requestId: context.random.requestId() };
  return (await clientOf(context).setUserQuotas(request, callOptions(context))).quota;
};
