import { createClient } from '@connectrpc/connect';
import { type Secret, SecretSchema } from '../../../gen/runmachine/identity/v1/secret_pb.ts';
import { SecretService } from '../../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { formatAgo } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { showOne } from '../output.ts';
import { atTop, lastSegment, newId } from '../resource-names.ts';
import { VALUE_OPTIONS, valuesFrom } from '../secret-values.ts';

const noun: Noun<typeof SecretSchema> = {
  singular: 'secret',
  schema: SecretSchema,
  name: (secret) => secret.name,
  fullName: ({ settings }, typed) =>
    typed.includes('/') ? typed : `projects/${settings.project}/${atTop('secrets', typed)}`,
  columns: [
    { title: 'NAME', value: (secret) => lastSegment(secret.name) },
    { title: 'PROJECT', value: (secret) => secret.name.split('/')[1] ?? '' },
    { title: 'KEYS', value: (secret) => secret.keys.join(' ') },
    { title: 'STAGED', value: (secret) => (secret.stageTime ? 'yes' : '') },
    { title: 'DESCRIPTION', value: (secret) => secret.description },
  ],
  people: (secret, context) => formatFields(fieldsOf(secret, context)),
};

const fieldsOf = (secret: Secret, { clock }: Context): [string, string][] => [
  ['name', secret.name],
  ['uid', secret.uid],
  ['description', secret.description],
  ['keys', secret.keys.join(' ')],
  ['generation', String(secret.generation)],
  ['created', formatAgo(secret.createTime, clock.now())],
  ['changed', formatAgo(secret.updateTime, clock.now())],
  ['staged', secret.stageTime ? formatAgo(secret.stageTime, clock.now()) : ''],
];

export const get = getCommand(noun, async (context, name) => {
  const client = createClient(SecretService, context.transport());
  return (await client.getSecret({ name }, callOptions(context))).secret;
});

export const list = listCommand(
  noun,
  async (context, page, args) => {
    const client = createClient(SecretService, context.transport());
    const project = args.flag('all-projects') ? '-' : context.settings.project;
    const answer = await client.listSecrets(
      { ...page, parent: `projects/${project}` },
      callOptions(context),
    );
    return { rows: answer.secrets, nextPageToken: answer.nextPageToken };
  },
  { 'all-projects': { type: 'boolean', help: 'of all projects that you may see' } },
);

export const create: Command = {
  summary: 'keep a secret; its values are never shown again',
  positionals: [{ name: 'name', help: 'name of the new secret' }],
  options: {
    ...VALUE_OPTIONS,
    description: { type: 'string', value: 'TEXT', help: 'what it is for' },
  },
  examples: [
    'runm secret create bmc-rack1                  # asks for user and password, hidden',
    'runm secret create bmc-rack1 -f values.yaml',
    'printf \'root\\n%s\\n\' "$PASSWORD" | runm secret create bmc-rack1',
    'runm secret create key --from-file key=id.pem',
  ],
  run: async (context, args) => {
    const secretId = newId(args.positional('name'));
    const data = await valuesFrom(context, args);
    const client = createClient(SecretService, context.transport());
    const { secret } = await client.createSecret(
      {
        parent: `projects/${context.settings.project}`,
        secretId,
        description: args.string('description') ?? '',
        data,
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    context.output.remark(`created ${secret?.name ?? secretId}`);
    return undefined;
  },
};

export const update: Command = {
  summary: 'replace all values of a secret',
  positionals: [{ name: 'name', help: 'name or uid of the secret' }],
  options: VALUE_OPTIONS,
  examples: [
    'runm secret update bmc-rack1                  # asks for user and password, hidden',
    'runm secret update bmc-rack1 -f values.yaml   # all of them: what it leaves out is gone',
  ],
  run: async (context, args) => {
    const name = noun.fullName(context, args.positional('name'));
    const data = await valuesFrom(context, args);
    const client = createClient(SecretService, context.transport());
    const before = await client.getSecret({ name }, callOptions(context)).then(
      ({ secret: known }) => known?.keys ?? [],
      // Whoever may not see it may change it all the same.
      () => [],
    );
    const { secret } = await client.updateSecret(
      { name, data, requestId: context.random.requestId() },
      callOptions(context),
    );
    if (secret) {
      await showOne(context.output, noun, {
        message: secret,
        people: () => noun.people(secret, context),
      });
    }
    tellUse(context, before, data);
    return undefined;
  },
};

/** What is easily overlooked: that others are gone, and that nobody has tried the new ones yet. */
const tellUse = (
  { output }: Context,
  before: readonly string[],
  data: Readonly<Record<string, string>>,
): void => {
  const gone = before.filter((key) => data[key] === undefined);
  if (gone.length > 0) {
    output.remark(`gone from it, as all values are replaced: ${gone.join(', ')}`);
  }
  if (data.user !== undefined && data.password !== undefined) {
    output.remark('next: runm provider probe PROVIDER   # whether its controller takes them');
  }
};

export const remove = deleteCommand(noun, async (context, request) => {
  const client = createClient(SecretService, context.transport());
  await client.deleteSecret(request, callOptions(context));
});
