/**
 * Where the values of a secret come from: never from the command line, which everybody on the host
 * can read.
 */
import { readFile } from 'node:fs/promises';
import type { Args, Context, Option } from './command.ts';
import { askHidden } from './hidden-line.ts';
import { readAll, readValues } from './read-document.ts';
import { UsageError } from './usage-error.ts';

export const VALUE_OPTIONS: Readonly<Record<string, Option>> = {
  key: {
    type: 'string',
    multiple: true,
    value: 'KEY',
    help: 'a value to ask for (user and password); off a terminal one line of standard input each',
  },
  'from-file': {
    type: 'string',
    multiple: true,
    value: 'KEY=PATH',
    help: 'a value from a file, without its last line end; "-" is standard input',
  },
  file: {
    type: 'string',
    short: 'f',
    value: 'PATH',
    help: 'all values: a YAML or JSON map of texts; "-" is standard input',
  },
};

export const valuesFrom = async (context: Context, args: Args): Promise<Record<string, string>> => {
  const path = args.string('file');
  const [files, keys] = [args.strings('from-file'), args.strings('key')];
  if (path !== undefined) {
    if (files.length + keys.length > 0) throw new UsageError('--file excludes the other two');
    return valuesOf(path, await readValues(context, path));
  }
  const parts = files.map(parsePart);
  const readers = parts.filter((part) => part.path === '-').length;
  const asked = files.length + keys.length === 0 ? ['user', 'password'] : keys;
  if (readers > 1 || (readers === 1 && asked.length > 0 && !context.stdin.isTTY)) {
    throw new UsageError('only one value can be read from standard input');
  }
  const values = new Map<string, string>();
  const put = (key: string, value: string): void => {
    if (values.has(key)) throw new UsageError(`the key "${key}" is given twice`);
    values.set(key, value);
  };
  for (const part of parts) put(part.key, await readPart(context, part.path));
  for (const [key, value] of await ask(context, asked)) put(key, value);
  return Object.fromEntries(values);
};

const ask = async (context: Context, keys: readonly string[]): Promise<[string, string][]> => {
  if (keys.length === 0) return [];
  if (context.stdin.isTTY) {
    const answers: [string, string][] = [];
    for (const key of keys) answers.push([key, await askHidden(context, key)]);
    return answers;
  }
  const lines = (await readAll(context.stdin)).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length !== keys.length) {
    throw new UsageError(
      `standard input holds ${lines.length} lines for ${keys.length} values`,
      `one line each for: ${keys.join(', ')}`,
    );
  }
  return keys.map((key, index) => [key, lines[index] ?? '']);
};

const parsePart = (text: string): { readonly key: string; readonly path: string } => {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError('--from-file must be KEY=PATH');
  return { key: text.slice(0, at), path: text.slice(at + 1) };
};

const readPart = async (context: Context, path: string): Promise<string> => {
  if (path === '-') return withoutLineEnd(await readAll(context.stdin));
  try {
    return withoutLineEnd(await readFile(path, 'utf8'));
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
    throw new UsageError(`cannot read ${path}: ${why}`);
  }
};

const withoutLineEnd = (text: string): string => text.replace(/\r?\n$/, '');

// Nothing of the file is in its errors.
const valuesOf = (path: string, documents: readonly unknown[]): Record<string, string> => {
  const [document] = documents;
  if (documents.length !== 1 || typeof document !== 'object' || document === null) {
    throw new UsageError(`${path} must hold one map of keys and texts`);
  }
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => {
      if (typeof value === 'string') return [key, value];
      throw new UsageError(`${path}: the value of "${key}" is no text; put it in quotes`);
    }),
  );
};
