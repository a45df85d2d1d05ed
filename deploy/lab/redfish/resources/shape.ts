import { type Json, type LabReply, links, ok, refuse } from '../message.ts';
import {
  type CollectionName,
  collectionTypeOf,
  type SchemaName,
  typeOf,
} from '../schema-versions.ts';

/** What every resource and collection has (DSP0266, resources). */
export const resource = (schema: SchemaName, path: string, rest: Json): Json => ({
  '@odata.id': path,
  '@odata.type': typeOf(schema),
  Id: path.split('/').at(-1) ?? '',
  ...rest,
});

export const collection = (
  schema: CollectionName,
  path: string,
  { name, ids }: { readonly name: string; readonly ids: readonly string[] },
): Json => ({
  '@odata.id': path,
  '@odata.type': collectionTypeOf(schema),
  Name: name,
  Members: links(ids.map((id) => `${path}/${id}`)),
  'Members@odata.count': ids.length,
});

export const HEALTHY: Json = { State: 'Enabled', Health: 'OK' };

/** A name as a part of a path: letters, digits, dot, dash. */
export const idOf = (label: string): string => label.replace(/[^A-Za-z0-9.-]+/g, '-');

/** A property of a body that was sent, checked; undefined = it was not sent. */
export type Field<T> =
  | { readonly kind: 'absent' }
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'wrong'; readonly reply: LabReply };

export const oneOf = <T extends string>(
  body: Json,
  name: string,
  values: readonly T[],
): Field<T> => {
  const sent = body[name];
  if (sent === undefined) return { kind: 'absent' };
  const value = values.find((one) => one === sent);
  if (value !== undefined) return { kind: 'value', value };
  const detail = `${name} is ${JSON.stringify(sent)}.`;
  return { kind: 'wrong', reply: refuse(400, 'PropertyValueNotInList', { detail, about: name }) };
};

const ofType =
  <T>(isIt: (value: unknown) => value is T) =>
  (body: Json, name: string): Field<T> => {
    const sent = body[name];
    if (sent === undefined) return { kind: 'absent' };
    if (isIt(sent)) return { kind: 'value', value: sent };
    const detail = `${name} is ${JSON.stringify(sent)}.`;
    return { kind: 'wrong', reply: refuse(400, 'PropertyValueTypeError', { detail, about: name }) };
  };

export const textField = ofType((value): value is string => typeof value === 'string');
export const flagField = ofType((value): value is boolean => typeof value === 'boolean');

/** The first property that is none of these; undefined = there is none such. */
export const unknownProperty = (body: Json, known: readonly string[]): LabReply | undefined => {
  const name = Object.keys(body).find((one) => !known.includes(one) && !one.startsWith('@'));
  if (name === undefined) return undefined;
  return refuse(400, 'PropertyNotWritable', { detail: `It is ${name}.`, about: name });
};

export const done: LabReply = ok({});
