import { createClient } from '@connectrpc/connect';
import {
  ClaimService,
  UsageKey,
  type UsageRow,
  UsageRowSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command } from '../command.ts';
import { formatAmount, formatAmountHours } from '../format/amount.ts';
import { formatLocalTime, optionalTime } from '../format/span.ts';
import { showList } from '../output.ts';
import { lastSegment, partitionParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

const KEYS: Readonly<
  Record<string, { key: UsageKey; title: string; value: (row: UsageRow) => string }>
> = {
  project: {
    key: UsageKey.PROJECT,
    title: 'PROJECT',
    value: (row) => lastSegment(row.project),
  },
  user: { key: UsageKey.USER, title: 'USER', value: (row) => row.user },
  consumer: {
    key: UsageKey.CONSUMER_TYPE,
    title: 'CONSUMER',
    value: (row) => row.consumerType,
  },
};

const AMOUNTS = [
  { title: 'RESOURCE', value: (row: UsageRow) => row.resourceType },
  { title: 'CLAIMS', value: (row: UsageRow) => String(row.claims) },
  { title: 'AT END', value: (row: UsageRow) => formatAmount(row.resourceType, row.amountAtEnd) },
  { title: 'PEAK', value: (row: UsageRow) => formatAmount(row.resourceType, row.amountPeak) },
  {
    title: 'AMOUNT × TIME',
    value: (row: UsageRow) => formatAmountHours(row.resourceType, row.amountSeconds),
  },
];

export const show: Command = {
  summary: 'sum what was used in a span of time; of all projects that you may see, or --project',
  options: {
    from: { type: 'string', value: 'TIME', help: 'begin ("30d ago")' },
    until: { type: 'string', value: 'TIME', help: 'end (now)' },
    by: { type: 'string', value: 'KEYS', help: 'project, user, consumer, or several (project)' },
  },
  examples: ['runm usage show --from 2026-03-01 --until 2026-04-01 --by project,user'],
  run: async (context, args) => {
    const by = (args.string('by') ?? 'project').split(',');
    const keys = by.map((word) => KEYS[word.trim()]);
    const unknown = by.find((_, index) => keys[index] === undefined);
    if (unknown !== undefined || new Set(by).size < by.length) {
      throw new UsageError(
        `--by: "${unknown ?? by.join(',')}" cannot be summed by`,
        'project, user, consumer, or several of them, each once',
      );
    }
    const chosen = keys.filter((one) => one !== undefined);
    const now = context.clock.now();
    const from = optionalTime(args.string('from') ?? '30d ago', '--from', now);
    const until = optionalTime(args.string('until'), '--until', now);
    const project = args.string('project') ?? '-';
    const client = createClient(ClaimService, context.transport());
    const { rows } = await client.reportUsage(
      {
        parent: `${partitionParent(context.settings)}/projects/${project}`,
        ...(from && { from }),
        ...(until && { until }),
        keys: chosen.map(({ key }) => key),
      },
      callOptions(context),
    );
    const columns = [...chosen.map(({ title, value }) => ({ title, value })), ...AMOUNTS];
    const name = (row: UsageRow) =>
      [...chosen.map(({ value }) => value(row)), row.resourceType].join(' ');
    await showList(context.output, { schema: UsageRowSchema, columns, name }, rows);
    if (context.output.mode === 'table') {
      const end = until ? formatLocalTime(until) : 'now';
      context.output.remark(`from ${formatLocalTime(from)} until ${end}`);
    }
    return undefined;
  },
};
