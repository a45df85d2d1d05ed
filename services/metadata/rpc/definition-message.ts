import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Definition as DefinitionMessage,
  DefinitionSchema,
  PropertyKind as KindMessage,
} from '../../../gen/runmachine/identity/v1/definition_pb.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import {
  type Definition,
  definitionName,
  type PropertyDefinition,
  type PropertyKind,
} from '../domain/definition.ts';

const KINDS: ReadonlyMap<KindMessage, PropertyKind> = new Map<KindMessage, PropertyKind>([
  [KindMessage.UNSPECIFIED, 'any'],
  [KindMessage.STRING, 'string'],
  [KindMessage.INTEGER, 'integer'],
  [KindMessage.NUMBER, 'number'],
  [KindMessage.BOOL, 'bool'],
  [KindMessage.STRING_LIST, 'string_list'],
]);

const KIND_MESSAGES: ReadonlyMap<PropertyKind, KindMessage> = new Map(
  [...KINDS].map(([message, kind]) => [kind, message]),
);

export const definitionMessage = (definition: Definition, etag: string): DefinitionMessage =>
  create(DefinitionSchema, {
    name: definitionName(definition),
    etag,
    generation: BigInt(definition.generation),
    ...(definition.updateMs > 0 && { updateTime: timestampFromMs(definition.updateMs) }),
    spec: {
      properties: definition.properties.map(({ key, kind, schedulable, description }) => ({
        key,
        kind: KIND_MESSAGES.get(kind) ?? KindMessage.UNSPECIFIED,
        schedulable,
        description,
      })),
    },
  });

/** Errors: invalid_argument INVALID_FIELD for a kind of value that this release does not know. */
export const propertyDefinitionsOf = (message: DefinitionMessage): readonly PropertyDefinition[] =>
  (message.spec?.properties ?? []).map(({ key, kind, schedulable, description }, index) => {
    const known = KINDS.get(kind);
    if (known === undefined) throw unknownKind(`definition.spec.properties[${index}].kind`);
    return { key, kind: known, schedulable, description };
  });

const unknownKind = (field: string) =>
  invalidArgument('INVALID_FIELD', `${field} is not a kind of value`, {
    metadata: { field },
    violations: [{ field, description: 'is not a kind of value' }],
  });
