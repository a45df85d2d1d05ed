import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import {
  type Claim,
  ClaimSchema,
  ClaimState,
  ClaimStateSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../call-options.ts';
import { claimOptions, requestGroup } from '../claim-options.ts';
import type { Args, Command, Context } from '../command.ts';
import { getCommand, listCommand, type Noun } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { formatLocalTime, parseSpanSeconds, parseTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { inProject, lastSegment, newId, projectParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

const state = (claim: Claim): string =>
  enumWord(ClaimStateSchema, claim.status?.state ?? ClaimState.UNSPECIFIED);

const noun: Noun<typeof ClaimSchema> = {
  singular: 'claim',
  schema: ClaimSchema,
  name: (claim) => claim.name,
  fullName: (context, typed) => inProject(context.settings, 'claims', typed),
  columns: [
    { title: 'NAME', value: (claim) => lastSegment(claim.name) },
    { title: 'STATE', value: state },
    { title: 'FOR', value: (claim) => lastSegment(claim.spec?.consumer?.name ?? '') },
    { title: 'FROM', value: (claim) => formatLocalTime(claim.spec?.acquireTime) },
    { title: 'UNTIL', value: (claim) => until(claim) },
    { title: 'HOLDS', value: (claim) => holds(claim) },
  ],
  people: (claim) => describe(claim),
};

const until = (claim: Claim): string =>
  claim.spec?.releaseTime ? formatLocalTime(claim.spec.releaseTime) : 'for ever';

const holds = (claim: Claim): string =>
  (claim.status?.allocations ?? [])
    .filter((one) => !one.finishTime)
    .map((one) => `${one.amount} ${one.resourceType} of ${lastSegment(one.provider)}`)
    .join(', ');

const describe = (claim: Claim): string =>
  formatFields([
    ['name', claim.name],
    ['uid', claim.uid],
    ['state', state(claim)],
    ['for', claim.spec?.consumer?.name ?? ''],
    ['from', formatLocalTime(claim.spec?.acquireTime)],
    ['until', until(claim)],
    ...(claim.status?.allocations ?? []).map((one): [string, string] => [
      'allocation',
      `${one.amount} ${one.resourceType} of ${lastSegment(one.provider)}` +
        (one.finishTime ? ` (given back ${formatLocalTime(one.finishTime)})` : ''),
    ]),
  ]);

export const get = getCommand(noun, async (context, name) => {
  const client = createClient(ClaimService, context.transport());
  return (await client.getClaim({ name }, callOptions(context))).claim;
});

export const list = listCommand(noun, async (context, page) => {
  const client = createClient(ClaimService, context.transport());
  const parent = projectParent(context.settings);
  const answer = await client.listClaims({ parent, ...page }, callOptions(context));
  return { rows: answer.claims, nextPageToken: answer.nextPageToken };
});

const claimResources = async (context: Context, args: Args, from: string): Promise<undefined> => {
  const now = context.clock.now();
  const acquire = parseTime(from, '--from', now);
  const span = args.string('for');
  const untilText = args.string('until');
  if (span !== undefined && untilText !== undefined) {
    throw new UsageError('--for and --until exclude each other');
  }
  const end =
    span === undefined
      ? untilText && parseTime(untilText, '--until', now)
      : new Date(acquire.getTime() + parseSpanSeconds(span, '--for') * 1000);
  const count = args.string('count') ?? '1';
  if (!/^[1-9]\d{0,2}$|^1000$/.test(count)) throw new UsageError('--count is 1 to 1000');
  const client = createClient(ClaimService, context.transport());
  const answer = await client.createClaim(
    {
      parent: projectParent(context.settings),
      claimId: newId(args.positional('name')),
      claim: {
        spec: {
          acquireTime: timestampFromDate(acquire),
          ...(end ? { releaseTime: timestampFromDate(end) } : {}),
          groups: [requestGroup(args)],
          count: Number(count),
        },
      },
      requestId: context.random.requestId(),
      validateOnly: args.flag('dry-run'),
    },
    callOptions(context),
  );
  if (answer.claim) {
    const claim = answer.claim;
    await showOne(context.output, noun, { message: claim, people: () => describe(claim) });
    context.output.remark(`next: runm claim release ${lastSegment(claim.name)}`);
  }
  return undefined;
};

const NEW = [{ name: 'name', help: 'name of the new claim' }];

export const create: Command = {
  summary: 'claim resources from now on',
  positionals: NEW,
  options: claimOptions,
  examples: ['runm claim create web --cpus 2 --memory 1GiB --for 4h'],
  run: (context, args) => claimResources(context, args, 'now'),
};

export const reserve: Command = {
  summary: 'claim resources for a time to come',
  positionals: NEW,
  options: {
    from: { type: 'string', value: 'TIME', help: 'begin, for example tomorrow or "in 2h"' },
    ...claimOptions,
  },
  examples: ['runm claim reserve bench --cpus 2 --memory 1GiB --from tomorrow --for 4h'],
  run: (context, args) => {
    const from = args.string('from');
    if (from === undefined) throw new UsageError('--from is missing', 'or use `runm claim create`');
    return claimResources(context, args, from);
  },
};

export const release: Command = {
  summary: 'give back what a claim holds',
  positionals: [{ name: 'name', help: 'name or uid of the claim' }],
  run: async (context, args) => {
    const client = createClient(ClaimService, context.transport());
    const name = noun.fullName(context, args.positional('name'));
    const requestId = context.random.requestId();
    const claim = (await client.beginRelease({ name, requestId }, callOptions(context))).claim;
    context.output.remark(`${lastSegment(name)} is ${claim ? state(claim) : 'releasing'}`);
    return undefined;
  },
};

export const watch: Command = {
  summary: 'show claims as they change, until Ctrl-C',
  run: async (context) => {
    const client = createClient(ClaimService, context.transport());
    const parent = projectParent(context.settings);
    const options = { signal: context.signal, timeoutMs: 24 * 3600 * 1000 };
    try {
      for await (const answer of client.watchClaims({ parent }, options)) {
        for (const { event } of answer.events) {
          if (event.case === 'created' || event.case === 'updated')
            await tell(context, event.value);
          else if (event.case === 'deleted') context.output.remark(`${event.value.name} is gone`);
        }
      }
    } catch (error) {
      if (!context.signal.aborted) throw error;
    }
    return undefined;
  },
};

const tell = async (context: Context, claim: Claim): Promise<void> => {
  const { output } = context;
  if (output.mode === 'json') {
    const { messageToJson } = await import('../format/message.ts');
    output.result(JSON.stringify(messageToJson(ClaimSchema, claim)));
    return;
  }
  output.result(`${lastSegment(claim.name)}  ${state(claim)}  ${holds(claim)}`);
};
