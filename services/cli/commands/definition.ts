import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import {
  type Definition,
  DefinitionSchema,
  type PropertyDefinition,
  PropertyDefinitionSchema,
  PropertyKind,
  PropertyKindSchema,
} from '../../../gen/runmachine/identity/v1/definition_pb.ts';
import { DefinitionService } from '../../../gen/runmachine/identity/v1/definition_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { getCommand, listCommand, type Noun } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { formatTable } from '../format/table.ts';
import { showOne } from '../output.ts';
import { atTop, lastSegment } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';

const KINDS: Readonly<Record<string, PropertyKind>> = {
  any: PropertyKind.UNSPECIFIED,
  string: PropertyKind.STRING,
  integer: PropertyKind.INTEGER,
  number: PropertyKind.NUMBER,
  bool: PropertyKind.BOOL,
  list: PropertyKind.STRING_LIST,
};

const keys = (definition: Definition): string =>
  (definition.spec?.properties ?? []).map(({ key }) => key).join(' ');

const COLUMNS = [
  { title: 'KEY', value: ({ key }: PropertyDefinition) => key },
  {
    title: 'TYPE',
    value: ({ kind }: PropertyDefinition) =>
      kind === PropertyKind.UNSPECIFIED ? 'any' : enumWord(PropertyKindSchema, kind),
  },
  {
    title: 'SCHEDULABLE',
    value: ({ schedulable }: PropertyDefinition) => (schedulable ? 'yes' : 'no'),
  },
  { title: 'MEANING', value: ({ description }: PropertyDefinition) => description },
];

const noun: Noun<typeof DefinitionSchema> = {
  singular: 'definition',
  schema: DefinitionSchema,
  name: (definition) => definition.name,
  fullName: (_, typed) => atTop('definitions', typed),
  columns: [
    { title: 'OF', value: (definition) => lastSegment(definition.name) },
    { title: 'PROPERTIES', value: keys },
  ],
  people: (definition) => {
    const properties = definition.spec?.properties ?? [];
    return properties.length
      ? formatTable(COLUMNS, properties)
      : `no property of ${lastSegment(definition.name)} is defined`;
  },
};

const clientOf = (context: Context) => createClient(DefinitionService, context.transport());

export const get: Command = {
  ...getCommand(noun, async (context, name) => {
    return (await clientOf(context).getDefinition({ name }, callOptions(context))).definition;
  }),
  summary: 'show what the properties of a kind of object mean',
  positionals: [{ name: 'name', help: 'kind of object, for example runm.provider' }],
};

export const list = listCommand(noun, async (context, page) => {
  const answer = await clientOf(context).listDefinitions(page, callOptions(context));
  return { rows: answer.definitions, nextPageToken: answer.nextPageToken };
});

/** "zone:string:schedulable=Where it stands". */
export const parsePropertyDefinition = (text: string): PropertyDefinition => {
  const at = text.indexOf('=');
  const head = at < 0 ? text : text.slice(0, at);
  const [key = '', kindText = 'any', schedulable, more] = head.split(':');
  const kind = KINDS[kindText];
  const isSchedulable = schedulable === 'schedulable';
  const isWrong = more !== undefined || (schedulable !== undefined && !isSchedulable);
  if (isWrong || kind === undefined || !/^[a-z0-9][a-z0-9._-]*$/.test(key)) {
    throw new UsageError(
      `PROPERTY: "${text}" is not KEY[:TYPE[:schedulable]][=MEANING]`,
      `types are ${Object.keys(KINDS).join(', ')}; for example zone:string:schedulable`,
    );
  }
  const description = at < 0 ? '' : text.slice(at + 1);
  return create(PropertyDefinitionSchema, { key, kind, schedulable: isSchedulable, description });
};

export const set: Command = {
  summary: 'define properties of a kind of object; those that are not named stay',
  positionals: [{ name: 'name', help: 'kind of object, for example runm.provider' }],
  rest: { name: 'property', help: 'KEY[:TYPE[:schedulable]][=MEANING]', optional: true },
  options: {
    remove: { type: 'string', multiple: true, value: 'KEY', help: 'no longer define a property' },
  },
  examples: ['runm definition set runm.provider zone:string:schedulable="Where it stands"'],
  run: async (context, args) => {
    const given = args.rest.map(parsePropertyDefinition);
    const removed = args.strings('remove');
    if (given.length + removed.length === 0) {
      throw new UsageError('nothing to change', 'give properties such as zone:string:schedulable');
    }
    const name = noun.fullName(context, args.positional('name'));
    const client = clientOf(context);
    const current = (await client.getDefinition({ name }, callOptions(context))).definition;
    const gone = new Set([...removed, ...given.map(({ key }) => key)]);
    const kept = (current?.spec?.properties ?? []).filter(({ key }) => !gone.has(key));
    const properties = [...kept, ...given];
    const request = {
      definition: { name, etag: current?.etag ?? '', spec: { properties } },
      requestId: context.random.requestId(),
    };
    const { definition } = await client.setDefinition(request, callOptions(context));
    if (!definition) return undefined;
    const people = () => noun.people(definition, context);
    await showOne(context.output, noun, { message: definition, people });
    return undefined;
  },
};
