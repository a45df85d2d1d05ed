import { create } from '@bufbuild/protobuf';
import {
  type PropertyValue,
  PropertyValueSchema,
  StringListSchema,
} from '../../gen/runmachine/common/v1/property_pb.ts';
import type { Args, Option } from './command.ts';
import { UsageError } from './usage-error.ts';

export const PROPERTY_OPTIONS: Readonly<Record<string, Option>> = {
  tag: { type: 'string', multiple: true, value: 'TEXT', help: 'add a tag' },
  'remove-tag': { type: 'string', multiple: true, value: 'TEXT', help: 'remove a tag' },
  property: {
    type: 'string',
    multiple: true,
    value: 'KEY=VALUE',
    help: 'set a property; the type follows the value',
  },
  'remove-property': { type: 'string', multiple: true, value: 'KEY', help: 'remove a property' },
};

type Present = {
  readonly tags: readonly string[];
  readonly properties: Readonly<Record<string, PropertyValue>>;
};

/** Tags and properties as they will be, and the mask paths of what changes; something must. */
export const propertyChanges = (args: Args, present: Present) => {
  const changes = propertyChangesIfAny(args, present);
  if (changes.paths.length > 0) return changes;
  throw new UsageError(
    'nothing to change',
    'give --tag, --remove-tag, --property or --remove-property',
  );
};

export const propertyChangesIfAny = (args: Args, present: Present) => {
  const removedTags = new Set(args.strings('remove-tag'));
  const tags = [...new Set([...present.tags, ...args.strings('tag')])].filter(
    (tag) => !removedTags.has(tag),
  );
  const properties = { ...present.properties };
  for (const text of args.strings('property')) {
    const [key, value] = parseProperty(text);
    properties[key] = value;
  }
  for (const key of args.strings('remove-property')) delete properties[key];
  const paths = [
    ...(args.strings('tag').length + removedTags.size > 0 ? ['tags'] : []),
    ...(args.strings('property').length + args.strings('remove-property').length > 0
      ? ['properties']
      : []),
  ];
  return { tags, properties, paths };
};

/**
 * "rack=r1" is text, "slots=4" an integer, "load=0.5" a number, "spare=true" a truth value; a type
 * before the "=" decides otherwise: "zone:string=4", "feeds:list=a,b".
 */
export const parseProperty = (text: string): [string, PropertyValue] => {
  const at = text.indexOf('=');
  const [key = '', kind, more] = text.slice(0, Math.max(0, at)).split(':');
  if (at < 1 || more !== undefined || !/^[a-z0-9][a-z0-9._-]*$/.test(key)) {
    throw new UsageError(
      `--property: "${text}" is not KEY=VALUE`,
      'keys match [a-z0-9][a-z0-9._-]*',
    );
  }
  const value = text.slice(at + 1);
  const found = kind === undefined ? guessed(value) : ofKind(kind, value);
  if (found !== undefined) return [key, create(PropertyValueSchema, { kind: found })];
  throw new UsageError(
    `--property: "${value}" is no value of type "${kind}"`,
    'types are string, integer, number, bool and list',
  );
};

type Kind = PropertyValue['kind'];

const guessed = (value: string): Kind =>
  ofKind('integer', value) ??
  (value.includes('.') ? ofKind('number', value) : undefined) ??
  ofKind('bool', value) ?? { case: 'stringValue', value };

const ofKind = (kind: string, value: string): Kind | undefined => {
  switch (kind) {
    case 'string':
      return { case: 'stringValue', value };
    case 'integer':
      return /^-?\d{1,18}$/.test(value)
        ? { case: 'integerValue', value: BigInt(value) }
        : undefined;
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(value)
        ? { case: 'numberValue', value: Number(value) }
        : undefined;
    case 'bool':
      return value === 'true' || value === 'false'
        ? { case: 'boolValue', value: value === 'true' }
        : undefined;
    case 'list':
      return { case: 'stringList', value: create(StringListSchema, { values: value.split(',') }) };
    default:
      return undefined;
  }
};
