import { readFile } from 'node:fs/promises';
import { type DescMessage, fromJson, type JsonValue, type MessageShape } from '@bufbuild/protobuf';
import { parseAllDocuments } from 'yaml';
import type { Context } from './command.ts';
import { withFullWords } from './enum-words.ts';
import { anyRegistry } from './format/message.ts';
import { UsageError } from './usage-error.ts';

const LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * One object from a YAML or JSON file, or from standard input for "-". Unknown fields are refused
 * by name.
 */
export const readDocument = async <Schema extends DescMessage>(
  context: Context,
  schema: Schema,
  path: string,
): Promise<MessageShape<Schema>> => {
  const documents = await readValues(context, path);
  if (documents.length > 1) throw new UsageError(`${path} holds more than one document`);
  return messageOf(schema, documents[0] ?? null, path);
};

/** The documents of a file; those that are lists count as what they hold. */
export const readValues = async (context: Context, path: string): Promise<JsonValue[]> => {
  const text = path === '-' ? await readAll(context.stdin) : await readText(path);
  if (text.length > LIMIT_BYTES) throw new UsageError(`${path} is larger than 4 MiB`);
  const documents = parseAllDocuments(text);
  const wrong = [...documents].flatMap((one) => one.errors)[0];
  if (wrong) throw new UsageError(`${path} is neither YAML nor JSON: ${firstLine(wrong)}`);
  return [...documents].flatMap((one): JsonValue[] => {
    const value: JsonValue = one.toJS({ maxAliasCount: 100 });
    return Array.isArray(value) ? value : [value];
  });
};

export const messageOf = <Schema extends DescMessage>(
  schema: Schema,
  value: JsonValue,
  path: string,
): MessageShape<Schema> => {
  try {
    return fromJson(schema, withFullWords(schema, value), { registry: anyRegistry });
  } catch (error) {
    throw new UsageError(
      `${path}: ${firstLine(error)}`,
      `field names are those of ${schema.typeName}; \`runm … get --yaml\` prints one`,
    );
  }
};

const readText = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${firstLine(error)}`);
  }
};

/** Standard input as text. Errors: UsageError above 4 MiB. */
export const readAll = async (stream: AsyncIterable<string | Uint8Array>): Promise<string> => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stream) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : Buffer.from(part);
    parts.push(bytes);
    size += bytes.length;
    if (size > LIMIT_BYTES) throw new UsageError('standard input is larger than 4 MiB');
  }
  return Buffer.concat(parts).toString('utf8');
};

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
