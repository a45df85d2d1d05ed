import { createClient } from '@connectrpc/connect';
import {
  type Claim,
  ClaimSchema,
  ClaimState,
} from '../../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Args, Command, Context } from '../../command.ts';
import { getCommand } from '../../crud.ts';
import { NARROW_OPTIONS, narrowed } from '../../narrow.ts';
import { holderUid, providerUid } from '../../object-uids.ts';
import { showSome } from '../../output.ts';
import { allPages } from '../../pages.ts';
import { lastSegment, partitionParent, projectParent } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';
import { claimNoun, claimState, claimUntil, holdsText } from './noun.ts';

export const get = getCommand(claimNoun, async (context, name) => {
  const client = createClient(ClaimService, context.transport());
  return (await client.getClaim({ name }, callOptions(context))).claim;
});

/** Of several projects a name alone is not enough. */
const ofAllProjects = {
  ...claimNoun,
  columns: [
    { title: 'PROJECT', value: (claim: Claim) => claim.name.split('/')[3] ?? '' },
    ...claimNoun.columns,
  ],
};

export const list: Command = {
  summary: 'list claims',
  options: {
    state: {
      type: 'string',
      multiple: true,
      value: 'STATE',
      help: 'for example active or at-risk',
    },
    tag: { type: 'string', value: 'TEXT', help: 'tag of the claim' },
    provider: { type: 'string', value: 'NAME', help: 'provider that it holds' },
    consumer: { type: 'string', value: 'WHAT', help: 'machine:NAME or the uid of a consumer' },
    'all-projects': { type: 'boolean', help: 'of all projects that you may see' },
    ...NARROW_OPTIONS,
  },
  run: async (context, args) => {
    const client = createClient(ClaimService, context.transport());
    const isWide = args.flag('all-projects');
    const parent = isWide
      ? `${partitionParent(context.settings)}/projects/-`
      : projectParent(context.settings);
    const filter = await filterOf(context, args);
    const rows = await allPages(async (pageToken) => {
      const request = { parent, filter, pageSize: 1000, pageToken };
      const answer = await client.listClaims(request, callOptions(context));
      return { rows: answer.claims, nextPageToken: answer.nextPageToken };
    });
    const noun = isWide ? ofAllProjects : claimNoun;
    await showSome(context.output, noun, {
      rows: narrowed(rows, noun.columns, args),
      // A filter of the server hides how many there are.
      count: 0,
      where: isWide || filter !== undefined ? '' : ` in project ${context.settings.project}`,
    });
    return undefined;
  },
};

const filterOf = async (context: Context, args: Args) => {
  const [provider, consumer] = [args.string('provider'), args.string('consumer')];
  return {
    states: args
      .strings('state')
      .flatMap((text) => text.split(','))
      .map(stateOf),
    tag: args.string('tag') ?? '',
    providerUid: provider === undefined ? '' : await providerUid(context, provider),
    consumerUid: consumer === undefined ? '' : await holderUid(context, consumer, '--consumer'),
  };
};

const STATES: Readonly<Record<string, ClaimState>> = {
  pending: ClaimState.PENDING,
  active: ClaimState.ACTIVE,
  waiting: ClaimState.WAITING,
  releasing: ClaimState.RELEASING,
  released: ClaimState.RELEASED,
  'at-risk': ClaimState.AT_RISK,
};

const stateOf = (text: string): ClaimState => {
  const found = STATES[text.toLowerCase().replaceAll(/[ _]/g, '-')];
  if (found !== undefined) return found;
  const known = Object.keys(STATES).join(', ');
  throw new UsageError(`--state: "${text}" is no state of a claim`, `one of ${known}`);
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
  if (output.mode === 'quiet') {
    output.result(claim.name);
    return;
  }
  if (output.mode === 'table') {
    const parts = [lastSegment(claim.name), claimState(claim), `until ${claimUntil(claim)}`];
    output.result([...parts, holdsText(claim)].join('  ').trimEnd());
    return;
  }
  const { messageToJson, yamlText } = await import('../../format/message.ts');
  const document = messageToJson(ClaimSchema, claim);
  output.result(output.mode === 'json' ? JSON.stringify(document) : `---\n${yamlText(document)}`);
};
