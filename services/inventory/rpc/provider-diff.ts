/** What a change of a provider changes, field by field, for people to read. */
import { create, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf';
import { type Provider, ProviderSchema } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  type FieldChange,
  FieldChangeSchema,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';

const CHANGES_MAX = 32;
const TEXT_CHARS_MAX = 80;

/** `seesAll`: the caller may see controllers, network interfaces, facts and agents. */
export const fieldChanges = (
  before: Provider,
  after: Provider,
  seesAll: boolean,
): readonly FieldChange[] => {
  const [was, is] = [textsOf(before), textsOf(after)];
  const paths = [...new Set([...was.keys(), ...is.keys()])].sort();
  const changed = paths.filter((path) => was.get(path) !== is.get(path)).slice(0, CHANGES_MAX);
  return changed.map((path) => {
    const isShown = seesAll || !HIDDEN.test(path);
    return create(FieldChangeSchema, {
      path,
      before: isShown ? cut(was.get(path) ?? '') : '',
      after: isShown ? cut(is.get(path) ?? '') : '',
    });
  });
};

const HIDDEN = /^spec\.(?:bmc|nics|facts|agent_pools)\b/;

const cut = (text: string): string =>
  text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX - 1)}…` : text;

const textsOf = ({ spec, properties, tags }: Provider): ReadonlyMap<string, string> => {
  const declared = create(ProviderSchema, { ...(spec && { spec }), properties, tags });
  const texts = new Map<string, string>();
  walk(toJson(ProviderSchema, declared, { useProtoFieldName: true }), '', texts);
  return texts;
};

const walk = (value: JsonValue, path: string, texts: Map<string, string>): void => {
  if (Array.isArray(value)) walkList(value, path, texts);
  else if (typeof value === 'object' && value !== null) walkFields(value, path, texts);
  else texts.set(path, String(value));
};

const walkFields = (fields: JsonObject, path: string, texts: Map<string, string>): void => {
  for (const [key, inner] of Object.entries(fields)) {
    // A property is one value; its type is told by how it looks.
    if (path === 'properties') texts.set(`${path}.${key}`, propertyText(inner));
    else walk(inner, path === '' ? key : `${path}.${key}`, texts);
  }
};

const walkList = (list: readonly JsonValue[], path: string, texts: Map<string, string>): void => {
  const rows = list.filter((row): row is JsonObject => typeof row === 'object' && row !== null);
  if (rows.length < list.length) {
    // Their order means nothing.
    texts.set(path, list.map(String).sort().join(', '));
    return;
  }
  for (const [index, row] of rows.entries()) walk(row, `${path}[${nameOf(row, index)}]`, texts);
};

const NAMES = ['label', 'resource_type', 'role', 'component'] as const;

const nameOf = (row: JsonObject, index: number): string => {
  if (row.type !== undefined && row.group !== undefined) return `${row.type} ${row.group}`;
  const named = NAMES.map((name) => row[name]).find((name) => typeof name === 'string');
  return String(named ?? index);
};

const propertyText = (value: JsonValue): string => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return String(value);
  const { string_value: text, string_list: list } = value;
  if (typeof list === 'object') return JSON.stringify(list);
  // In quotes where it could be taken for another type.
  if (typeof text === 'string') return /^(?:[-\d."]|true$|false$)/.test(text) ? `"${text}"` : text;
  return String(Object.values(value)[0]);
};
