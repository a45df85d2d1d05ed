import { createClient } from '@connectrpc/connect';
import {
  type Discovery,
  DiscoverySchema,
  DiscoveryState,
  DiscoveryStateSchema,
} from '../../../gen/runmachine/inventory/v1/discovery_pb.ts';
import { DiscoveryService } from '../../../gen/runmachine/inventory/v1/discovery_service_pb.ts';
import {
  BmcType,
  BmcTypeSchema,
} from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Args, Command, Context } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { PROVIDER_TYPE_WORDS, parseProviderType } from '../format/provider-type.ts';
import { formatAgo } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { inPartition, lastSegment, newId, partitionParent, secretName } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';
import { providerNoun } from './provider.ts';

const stateOf = ({ state }: Discovery): string => enumWord(DiscoveryStateSchema, state);
const typeOf = ({ found }: Discovery): string =>
  enumWord(BmcTypeSchema, found?.type ?? BmcType.UNSPECIFIED);
const modelOf = ({ found }: Discovery): string =>
  [found?.facts?.vendor, found?.facts?.model].filter(Boolean).join(' ');
const conflictsOf = ({ conflicts }: Discovery): readonly string[] =>
  conflicts.map(({ field, value, holder }) => `${field} ${value} is ${lastSegment(holder)}'s`);

const noun: Noun<typeof DiscoverySchema> = {
  singular: 'discovery',
  schema: DiscoverySchema,
  name: (discovery) => discovery.name,
  fullName: ({ settings }, typed) => inPartition(settings, 'discoveries', typed),
  columns: [
    { title: 'NAME', value: (discovery) => lastSegment(discovery.name) },
    { title: 'STATE', value: stateOf },
    { title: 'TYPE', value: typeOf },
    { title: 'MODEL', value: modelOf },
    { title: 'SERIAL', value: ({ found }) => found?.facts?.serialNumber ?? '' },
    { title: 'PROVIDER', value: ({ provider }) => lastSegment(provider) },
    {
      title: 'PROBLEM',
      value: (discovery) => conflictsOf(discovery)[0] ?? discovery.found?.problem ?? '',
    },
  ],
  people: (discovery, context) => formatFields(fieldsOf(discovery, context)),
};

const fieldsOf = (discovery: Discovery, { clock }: Context): [string, string][] => {
  const { found } = discovery;
  return [
    ['name', discovery.name],
    ['state', stateOf(discovery)],
    ['controller', `${typeOf(discovery)} at ${found?.address ?? ''}`],
    ['certificate', found?.certificateSha256 ?? ''],
    ['model', modelOf(discovery)],
    ['serial number', found?.facts?.serialNumber ?? ''],
    ['UUID', found?.facts?.smbiosUuid ?? ''],
    ...(found?.facts?.nics ?? []).map(({ label, mac }): [string, string] => [`nic ${label}`, mac]),
    ['signed in with', found?.secret ?? ''],
    ['found by', (found?.agents ?? []).map(lastSegment).join(', ')],
    ['problem', found?.problem ?? ''],
    ...conflictsOf(discovery).map((text): [string, string] => ['conflict', text]),
    ['provider', discovery.provider],
    ['rejected because', discovery.reason],
    ['found first', formatAgo(discovery.createTime, clock.now())],
    ['found last', formatAgo(discovery.updateTime, clock.now())],
  ];
};

const clientOf = (context: Context) => createClient(DiscoveryService, context.transport());

const STATES: Readonly<Record<string, DiscoveryState>> = {
  proposed: DiscoveryState.PROPOSED,
  accepted: DiscoveryState.ACCEPTED,
  rejected: DiscoveryState.REJECTED,
};

const stateAsked = (args: Args): DiscoveryState => {
  const text = args.string('state');
  if (text === undefined) return DiscoveryState.UNSPECIFIED;
  const state = STATES[text.toLowerCase()];
  if (state !== undefined) return state;
  throw new UsageError(
    `--state: "${text}" is no state`,
    `one of ${Object.keys(STATES).join(', ')}`,
  );
};

export const list: Command = {
  ...listCommand(
    noun,
    async (context, page, args) => {
      const request = {
        parent: partitionParent(context.settings),
        state: stateAsked(args),
        ...page,
      };
      const answer = await clientOf(context).listDiscoveries(request, callOptions(context));
      return { rows: answer.discoveries, nextPageToken: answer.nextPageToken };
    },
    {
      state: {
        type: 'string',
        value: 'STATE',
        help: `only ${Object.keys(STATES).join(', ')}`,
        choices: Object.keys(STATES),
      },
    },
  ),
  summary: 'list what scans found',
};

export const get = getCommand(noun, async (context, name) => {
  return (await clientOf(context).getDiscovery({ name }, callOptions(context))).discovery;
});

export const accept: Command = {
  summary: 'make a provider of what was found',
  positionals: [
    { name: 'name', help: 'name or uid of the discovery' },
    { name: 'provider', help: 'name of the new provider' },
  ],
  options: {
    type: { type: 'string', value: 'KIND', help: `${PROVIDER_TYPE_WORDS} (metal)` },
    secret: { type: 'string', value: 'NAME', help: 'secret of its controller (that of the scan)' },
    group: { type: 'string', multiple: true, value: 'ID', help: 'a group that it is in' },
    'dry-run': { type: 'boolean', help: 'show what would be made' },
  },
  examples: ['runm discovery accept 10.0.0.7 r1u3 --secret bmc-rack1 --group rack1'],
  run: async (context, args) => {
    const [type, secret] = [args.string('type'), args.string('secret')];
    const { provider } = await clientOf(context).acceptDiscovery(
      {
        name: noun.fullName(context, args.positional('name')),
        providerId: newId(args.positional('provider')),
        ...(type !== undefined && { type: parseProviderType(type, '--type') }),
        secret: secret === undefined ? '' : secretName(context.settings, secret),
        groups: [...args.strings('group')],
        validateOnly: args.flag('dry-run'),
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (!provider) return undefined;
    const verb = args.flag('dry-run') ? 'would create' : 'created';
    const people = () => `${verb} ${provider.name}`;
    await showOne(context.output, providerNoun, { message: provider, people });
    return undefined;
  },
};

export const reject: Command = {
  summary: 'say that what was found is not wanted',
  positionals: [{ name: 'name', help: 'name or uid of the discovery' }],
  options: { reason: { type: 'string', value: 'TEXT', help: 'why, for people' } },
  run: async (context, args) => {
    const name = noun.fullName(context, args.positional('name'));
    const reason = args.string('reason') ?? '';
    const requestId = context.random.requestId();
    await clientOf(context).rejectDiscovery({ name, reason, requestId }, callOptions(context));
    context.output.remark(`rejected ${name}`);
    return undefined;
  },
};

export const remove: Command = {
  ...deleteCommand(noun, async (context, request) => {
    const requestId = context.random.requestId();
    await clientOf(context).deleteDiscovery({ ...request, requestId }, callOptions(context));
  }),
  summary: 'forget what was found; a scan that finds it proposes it anew',
};
