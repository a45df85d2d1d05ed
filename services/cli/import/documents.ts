/** Entries of YAML and NDJSON files: objects of the contract, as an export writes them. */
import {
  createRegistry,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
} from '@bufbuild/protobuf';
import { parseDocument } from 'yaml';
import { CapabilitySchema } from '../../../gen/runmachine/inventory/v1/capability_pb.ts';
import { ProviderGroupSchema } from '../../../gen/runmachine/inventory/v1/provider_group_pb.ts';
import { ProviderSchema } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ResourceTypeSchema } from '../../../gen/runmachine/inventory/v1/resource_type_pb.ts';
import { closest } from '../closest.ts';
import { withFullWords } from '../enum-words.ts';
import { UsageError } from '../usage-error.ts';
import type { Contents, Entry, Source } from './entry.ts';
import { ENTRY_BYTES_MAX, linesOf } from './lines.ts';

type Place = { readonly line: number; readonly bytes: number };

/** One JSON object a line; empty lines count for nothing. */
export const ndjsonContents = (source: Source): Contents => ({
  paths: () => undefined,
  entries: ndjsonEntries(source),
});

async function* ndjsonEntries(source: Source): AsyncGenerator<Entry, void, void> {
  for await (const { text, number, bytes } of linesOf(source.name, source.bytes)) {
    if (text.trim() === '') continue;
    const place = { line: number, bytes };
    const value = parsed(() => JSON.parse(text));
    yield 'problem' in value
      ? { ...place, kind: 'wrong', id: '', problem: `no JSON: ${value.problem}` }
      : entryOf(source, place, value.value);
  }
}

/** Documents between lines of "---"; one that is a list counts as what it holds. */
export const yamlContents = (source: Source): Contents => ({
  paths: () => undefined,
  entries: yamlEntries(source),
});

async function* yamlEntries(source: Source): AsyncGenerator<Entry, void, void> {
  let lines: string[] = [];
  let size = 0;
  let place: Place = { line: 1, bytes: 0 };
  for await (const { text, number, bytes } of linesOf(source.name, source.bytes)) {
    if (/^---(?:\s|$)/.test(text)) {
      yield* documentEntries(source, place, lines);
      lines = [text.slice('---'.length)];
      [size, place] = [0, { line: number, bytes }];
      continue;
    }
    size += text.length;
    if (size > ENTRY_BYTES_MAX) {
      const why = 'is larger than 4 MiB; put "---" between providers';
      throw new UsageError(`${source.name}: the document at line ${place.line} ${why}`);
    }
    lines.push(text);
    place = { ...place, bytes };
  }
  yield* documentEntries(source, place, lines);
}

function* documentEntries(
  source: Source,
  place: Place,
  lines: readonly string[],
): Generator<Entry, void, void> {
  if (lines.every((line) => /^\s*(?:#.*)?$/.test(line))) return;
  const document = parseDocument(lines.join('\n'), { prettyErrors: false });
  const [wrong] = document.errors;
  if (wrong !== undefined) {
    const line = place.line + linesBefore(lines, wrong.pos[0]);
    yield { ...place, line, kind: 'wrong', id: '', problem: `no YAML: ${wrong.message}` };
    return;
  }
  const value: JsonValue = document.toJS({ maxAliasCount: 100 });
  for (const one of Array.isArray(value) ? value : [value]) yield entryOf(source, place, one);
}

const linesBefore = (lines: readonly string[], offset: number): number => {
  let left = offset;
  const index = lines.findIndex((line) => {
    left -= line.length + 1;
    return left < 0;
  });
  return Math.max(0, index);
};

const entryOf = (source: Source, place: Place, value: JsonValue): Entry => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ...place, kind: 'wrong', id: '', problem: 'is no object with fields' };
  }
  const { kind = 'Provider', name, ...fields } = value;
  const read = parsed(() => objectOf(source, place, { kind, name, fields }));
  if ('value' in read) return read.value;
  const id = typeof name === 'string' ? name.slice(name.lastIndexOf('/') + 1) : '';
  return { ...place, kind: 'wrong', id, problem: read.problem };
};

type Given = {
  readonly kind: JsonValue;
  readonly name: JsonValue | undefined;
  readonly fields: JsonObject;
};

/** Errors: UsageError for what is wrong with it. */
const objectOf = (source: Source, place: Place, { kind, name, fields }: Given): Entry => {
  const place_ = { line: place.line, bytes: place.bytes };
  switch (kind) {
    case 'Provider': {
      const id = idIn(name, `partitions/${source.partition}/providers/`);
      return { ...place_, kind: 'provider', id, provider: messageOf(ProviderSchema, fields) };
    }
    case 'Group': {
      const id = idIn(name, `partitions/${source.partition}/groups/`);
      return { ...place_, kind: 'group', id, group: messageOf(ProviderGroupSchema, fields) };
    }
    case 'Capability': {
      const capability = messageOf(CapabilitySchema, fields);
      return { ...place_, kind: 'capability', id: idIn(name, 'capabilities/'), capability };
    }
    case 'ResourceType': {
      const resourceType = messageOf(ResourceTypeSchema, fields);
      return { ...place_, kind: 'resource type', id: idIn(name, 'resourceTypes/'), resourceType };
    }
    default:
      throw new UsageError(
        `kind ${JSON.stringify(kind).slice(0, 60)} is none of Provider, Group, Capability, ResourceType`,
      );
  }
};

/** The id alone, or the whole name where it is of the partition that is imported into. */
const idIn = (name: JsonValue | undefined, prefix: string): string => {
  if (typeof name !== 'string' || name === '') throw new UsageError('"name" is missing');
  if (!name.includes('/')) return name;
  if (name.toLowerCase().startsWith(prefix.toLowerCase())) return name.slice(prefix.length);
  throw new UsageError(`"${name.slice(0, 200)}" does not lie in ${prefix.slice(0, -1)}`);
};

const messageOf = <Schema extends DescMessage>(schema: Schema, fields: JsonObject) =>
  fromJson(schema, withFullWords(schema, fields));

type Parsed<T> = { readonly value: T } | { readonly problem: string };

const parsed = <T>(read: () => T): Parsed<T> => {
  try {
    return { value: read() };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { problem: inWords(text.split('\n')[0] ?? '') };
  }
};

const known = createRegistry(
  ...[ProviderSchema, ProviderGroupSchema, CapabilitySchema, ResourceTypeSchema].flatMap(
    ({ file }) => [file, ...file.dependencies],
  ),
);

/** What the reader of JSON says in names of the contract, with what may stand there. */
const inWords = (problem: string): string => {
  const [, enumName = '', given = ''] =
    /^cannot decode enum (\S+) from JSON: (.{1,80})/.exec(problem) ?? [];
  const values = known.getEnum(enumName)?.values ?? [];
  if (values.length > 0) {
    const words = values.filter(({ number }) => number !== 0).map(({ name }) => name);
    return `${given} is none of ${words.join(', ')}`;
  }
  const [, messageName = '', key = ''] =
    /^cannot decode message (\S+) from JSON: key "([^"]{1,80})" is unknown/.exec(problem) ?? [];
  const fields = known.getMessage(messageName)?.fields.map(({ jsonName }) => jsonName) ?? [];
  if (fields.length === 0) return problem;
  const nearest = closest(key, fields);
  const hint = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  return `${messageName.split('.').at(-1)} has no field "${key}"${hint}`;
};
