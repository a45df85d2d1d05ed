import { type Timestamp, timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import type { Claim } from '../../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Args, Command, Context, Option } from '../../command.ts';
import { formatLocalTime, parseSpanSeconds, parseTime } from '../../format/span.ts';
import { holderUid, parseHolder } from '../../object-uids.ts';
import { showOne } from '../../output.ts';
import { lastSegment } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';
import { claimNoun, claimState } from './noun.ts';

const NAME = [{ name: 'name', help: 'name or uid of the claim' }];

const END_OPTIONS: Readonly<Record<string, Option>> = {
  by: { type: 'string', value: 'SPAN', help: 'by how much, for example 2h' },
  until: { type: 'string', value: 'TIME', help: 'new end' },
};

const clientOf = (context: Context) => createClient(ClaimService, context.transport());

export const extend: Command = {
  summary: 'move the end of a claim to a later time, if nobody is after it',
  positionals: NAME,
  options: { ...END_OPTIONS, 'for-ever': { type: 'boolean', help: 'until it is released' } },
  examples: ['runm claim extend web --by 2h', 'runm claim extend web --until "2026-03-01 18:00"'],
  run: async (context, args) => {
    const name = claimNoun.fullName(context, args.positional('name'));
    const requestId = context.random.requestId();
    const end = args.flag('for-ever')
      ? { etag: '' }
      : await newEnd(context, args, { name, way: 1 });
    const answer = await clientOf(context).extendClaim(
      { name, requestId, ...end },
      callOptions(context),
    );
    return told(context, answer.claim);
  },
};

export const shorten: Command = {
  summary: 'move the end of a claim to an earlier time',
  positionals: NAME,
  options: END_OPTIONS,
  examples: ['runm claim shorten web --until "in 1h"'],
  run: async (context, args) => {
    const name = claimNoun.fullName(context, args.positional('name'));
    const requestId = context.random.requestId();
    const end = await newEnd(context, args, { name, way: -1 });
    const answer = await clientOf(context).shortenClaim(
      { name, requestId, ...end },
      callOptions(context),
    );
    return told(context, answer.claim);
  },
};

type NewEnd = { readonly releaseTime: Timestamp; readonly etag: string };

/** With --by the present end counts, so the claim must still be as it was read. */
const newEnd = async (
  context: Context,
  args: Args,
  { name, way }: { name: string; way: 1 | -1 },
): Promise<NewEnd> => {
  const [by, until] = [args.string('by'), args.string('until')];
  if ((by === undefined) === (until === undefined)) {
    throw new UsageError('give either --by or --until', 'for example --by 2h');
  }
  if (by === undefined) {
    const end = parseTime(until ?? '', '--until', context.clock.now());
    return { releaseTime: timestampFromDate(end), etag: '' };
  }
  const spanMs = parseSpanSeconds(by, '--by') * 1000;
  const claim = (await clientOf(context).getClaim({ name }, callOptions(context))).claim;
  const present = claim?.spec?.releaseTime;
  if (!claim || !present) {
    throw new UsageError(`${lastSegment(name)} has no end to count from`, 'give --until');
  }
  const end = new Date(timestampDate(present).getTime() + way * spanMs);
  return { releaseTime: timestampFromDate(end), etag: claim.etag };
};

const told = async (context: Context, claim: Claim | undefined): Promise<undefined> => {
  if (!claim) return undefined;
  const end = claim.spec?.releaseTime;
  const text = end ? `ends ${formatLocalTime(end)}` : 'has no end';
  const people = () => `${lastSegment(claim.name)} ${text}`;
  await showOne(context.output, claimNoun, { message: claim, people });
  return undefined;
};

export const transfer: Command = {
  summary: 'give what a claim holds to another consumer, in one step',
  positionals: NAME,
  options: {
    to: { type: 'string', value: 'WHAT', help: 'machine:NAME or TYPE:UID' },
    'held-by': {
      type: 'string',
      value: 'WHAT',
      help: 'who must hold it now: machine:NAME or a uid',
    },
  },
  examples: ['runm claim transfer db --to machine:db-2 --held-by machine:db-1'],
  run: async (context, args) => {
    const [to, heldBy] = [args.string('to'), args.string('held-by')];
    if (to === undefined) throw new UsageError('--to is missing', 'for example --to machine:web-2');
    const consumer = await parseHolder(context, to, '--to');
    const request = {
      name: claimNoun.fullName(context, args.positional('name')),
      consumer,
      fromConsumerUid: heldBy === undefined ? '' : await holderUid(context, heldBy, '--held-by'),
      requestId: context.random.requestId(),
    };
    const { claim } = await clientOf(context).transferClaim(request, callOptions(context));
    if (!claim) return undefined;
    const holder = lastSegment(consumer.name) || consumer.uid;
    const people = () => `${lastSegment(claim.name)} is held by ${holder}`;
    await showOne(context.output, claimNoun, { message: claim, people });
    return undefined;
  },
};

export const release: Command = {
  summary: 'give back what a claim holds',
  positionals: NAME,
  run: async (context, args) => {
    const name = claimNoun.fullName(context, args.positional('name'));
    const requestId = context.random.requestId();
    const { claim } = await clientOf(context).beginRelease(
      { name, requestId },
      callOptions(context),
    );
    if (!claim) return undefined;
    const people = () => `${lastSegment(claim.name)} is ${claimState(claim)}`;
    await showOne(context.output, claimNoun, { message: claim, people });
    return undefined;
  },
};
