import { create } from '@bufbuild/protobuf';
import {
  type PropertyValue,
  PropertyValueSchema,
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

/** Tags and properties as they will be, and the mask paths of what changes. */
export const propertyChanges = (args: Args, present: Present) => {
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
  if (paths.length === 0) {
    throw new UsageError(
      'nothing to change',
      'give --tag, --remove-tag, --property or --remove-property',
    );
  }
  return { tags, properties, paths };
};

/** "rack=r1" is text, "slots=4" an integer, "load=0.5" a number, "spare=true" a truth value. */
export const parseProperty = (text: string): [string, PropertyValue] => {
  const at = text.indexOf('=');
  const key = text.slice(0, at);
  if (at < 1 || !/^[a-z0-9][a-z0-9._-]*$/.test(key)) {
    throw new UsageError(
      `--property: "${text}" is not KEY=VALUE`,
      'keys match [a-z0-9][a-z0-9._-]*',
    );
  }
  return [key, propertyOf(text.slice(at + 1))];
};

const propertyOf = (value: string): PropertyValue => {
  if (/^-?\d{1,18}$/.test(value)) {
    return create(PropertyValueSchema, { kind: { case: 'integerValue', value: BigInt(value) } });
  }
  if (/^-?\d+\.\d+$/.test(value)) {
    return create(PropertyValueSchema, { kind: { case: 'numberValue', value: Number(value) } });
  }
  if (value === 'true' || value === 'false') {
    return create(PropertyValueSchema, { kind: { case: 'boolValue', value: value === 'true' } });
  }
  return create(PropertyValueSchema, { kind: { case: 'stringValue', value } });
};
