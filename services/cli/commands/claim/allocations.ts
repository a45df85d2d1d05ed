import { createClient } from '@connectrpc/connect';
import { ClaimStateSchema } from '../../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type ClaimAllocation,
  ClaimAllocationSchema,
  ClaimService,
} from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Command } from '../../command.ts';
import { formatAmount } from '../../format/amount.ts';
import { enumWord } from '../../format/enum-word.ts';
import { formatLocalTime, optionalTime } from '../../format/span.ts';
import { holderUid, providerUid } from '../../object-uids.ts';
import { showList } from '../../output.ts';
import { allPages } from '../../pages.ts';
import { lastSegment, partitionParent, projectParent } from '../../resource-names.ts';

const projectOf = (one: ClaimAllocation): string => one.claim.split('/')[3] ?? '';

const endOf = (one: ClaimAllocation): string => {
  const given = one.allocation?.finishTime;
  if (given) return `given back ${formatLocalTime(given)}`;
  return one.releaseTime ? formatLocalTime(one.releaseTime) : 'for ever';
};

const noun = {
  schema: ClaimAllocationSchema,
  name: (one: ClaimAllocation) => `${one.claim} ${one.allocation?.provider ?? ''}`,
  columns: [
    {
      title: 'PROVIDER',
      value: ({ allocation }: ClaimAllocation) =>
        lastSegment(allocation?.provider ?? '') || (allocation?.providerUid ?? ''),
    },
    { title: 'RESOURCE', value: (one: ClaimAllocation) => one.allocation?.resourceType ?? '' },
    {
      title: 'AMOUNT',
      value: ({ allocation }: ClaimAllocation) =>
        formatAmount(allocation?.resourceType ?? '', allocation?.amount ?? 0n),
    },
    { title: 'PROJECT', value: projectOf },
    { title: 'CLAIM', value: (one: ClaimAllocation) => lastSegment(one.claim) },
    { title: 'STATE', value: (one: ClaimAllocation) => enumWord(ClaimStateSchema, one.state) },
    { title: 'FROM', value: (one: ClaimAllocation) => formatLocalTime(one.acquireTime) },
    { title: 'UNTIL', value: endOf },
  ],
};

export const allocations: Command = {
  summary: 'list what is held, provider by provider, now and in times to come',
  options: {
    provider: { type: 'string', value: 'NAME', help: 'of this provider' },
    group: { type: 'string', value: 'ID', help: 'of providers in this group' },
    consumer: { type: 'string', value: 'WHAT', help: 'for machine:NAME or the uid of a consumer' },
    from: { type: 'string', value: 'TIME', help: 'what overlaps the time from here on' },
    until: { type: 'string', value: 'TIME', help: 'what overlaps the time before this' },
    'all-projects': { type: 'boolean', help: 'of all projects that you may see' },
  },
  examples: ['runm claim allocations --group rack1 --from now --until "in 7d" --all-projects'],
  run: async (context, args) => {
    const now = context.clock.now();
    const from = optionalTime(args.string('from'), '--from', now);
    const until = optionalTime(args.string('until'), '--until', now);
    const [provider, consumer] = [args.string('provider'), args.string('consumer')];
    const asked = {
      parent: args.flag('all-projects')
        ? `${partitionParent(context.settings)}/projects/-`
        : projectParent(context.settings),
      providerUid: provider === undefined ? '' : await providerUid(context, provider),
      consumerUid: consumer === undefined ? '' : await holderUid(context, consumer, '--consumer'),
      providerGroup: lastSegment(args.string('group') ?? ''),
      ...(from && { from }),
      ...(until && { until }),
      pageSize: 1000,
    };
    const client = createClient(ClaimService, context.transport());
    const rows = await allPages(async (pageToken) => {
      const answer = await client.listAllocations({ ...asked, pageToken }, callOptions(context));
      return { rows: answer.allocations, nextPageToken: answer.nextPageToken };
    });
    await showList(context.output, noun, rows);
    return undefined;
  },
};
