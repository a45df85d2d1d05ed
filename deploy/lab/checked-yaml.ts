/**
 * A YAML document that is checked key by key; what is wrong is told with its line and its path, all
 * of it at once.
 */
import { isNode, LineCounter, parseDocument } from 'yaml';
import { type FieldViolation, invalidArgument } from '../../services/runtime/errors.ts';

export type YamlPath = readonly (string | number)[];

export type YamlProblems = {
  readonly add: (path: YamlPath, description: string) => void;
};

const SIZE_CHARACTERS_MAX = 1024 * 1024;
const PROBLEMS_SHOWN = 20;

/**
 * What `read` makes of the document. Throws invalid_argument with the reason given and one
 * violation per problem, `name:line: path: description`.
 */
export const readCheckedYaml = <T>(
  { text, name, reason }: { readonly text: string; readonly name: string; readonly reason: string },
  read: (value: unknown, problems: YamlProblems) => T,
): T => {
  if (text.length > SIZE_CHARACTERS_MAX) throw invalidArgument(reason, `${name} is too large`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line } = lines.linePos(broken.pos[0]);
    const [first = ''] = broken.message.split('\n');
    throw invalidArgument(reason, `${name}:${line}: ${first}`, { cause: broken });
  }
  const lineOf = (path: YamlPath): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  // By what they say: a default is looked at once for each that it holds for.
  const found = new Map<string, FieldViolation & { readonly line: number }>();
  const result = read(document.toJS({ maxAliasCount: 100 }), {
    add: (path, description) => {
      const line = lineOf(path);
      const field = `${name}:${line}: ${pathText(path)}`;
      found.set(`${field} ${description}`, { field, description, line });
    },
  });
  if (found.size === 0) return result;
  const violations = [...found.values()].toSorted((a, b) => a.line - b.line);
  const shown = violations.slice(0, PROBLEMS_SHOWN);
  const texts = shown.map(({ field, description }) => `${field}: ${description}`);
  const more = violations.length - shown.length;
  if (more > 0) texts.push(`and ${more} more`);
  throw invalidArgument(reason, texts.join('\n'), { violations });
};

/** `servers[1].memory[0].size`; "document" for the whole. */
export const pathText = (path: YamlPath): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '') || 'document';

/** Readers of values. Each tells a problem and answers `undefined`, or a stand-in, when wrong. */
export const yamlReaders = (problems: YamlProblems) => {
  const object = (
    value: unknown,
    path: YamlPath,
    keys: readonly string[],
  ): Readonly<Record<string, unknown>> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      problems.add(path, 'has to be a mapping');
      return {};
    }
    for (const key of Object.keys(value)) {
      if (!keys.includes(key)) {
        problems.add([...path, key], `is not known; known keys: ${keys.join(', ')}`);
      }
    }
    return { ...value };
  };
  const list = (value: unknown, path: YamlPath): readonly unknown[] => {
    if (Array.isArray(value)) return value;
    problems.add(path, 'has to be a list');
    return [];
  };
  const text = (
    value: unknown,
    path: YamlPath,
    rule: { readonly pattern: RegExp; readonly hint: string },
  ): string => {
    if (typeof value === 'string' && rule.pattern.test(value)) return value;
    problems.add(path, value === undefined ? 'is missing' : rule.hint);
    return '';
  };
  const integer = (value: unknown, path: YamlPath, max: number): number => {
    if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max) return Number(value);
    problems.add(path, value === undefined ? 'is missing' : `has to be 1 to ${max}`);
    return 1;
  };
  const word = <Word extends string>(
    value: unknown,
    path: YamlPath,
    words: readonly [Word, ...Word[]],
  ): Word => {
    const found = words.find((one) => one === value);
    if (found === undefined) problems.add(path, `has to be one of ${words.join(', ')}`);
    return found ?? words[0];
  };
  const amount = (
    value: unknown,
    path: YamlPath,
    units: Readonly<Record<string, number>>,
  ): number => {
    const [, digits, unit = ''] = /^(\d{1,9})([A-Za-z]+)$/.exec(String(value)) ?? [];
    const factor = units[unit];
    if (digits !== undefined && factor !== undefined && Number(digits) > 0) {
      return Number(digits) * factor;
    }
    problems.add(path, `has to be a number with one of ${Object.keys(units).join(', ')}`);
    return factor ?? 1;
  };
  return { object, list, text, integer, word, amount };
};

export type YamlReaders = ReturnType<typeof yamlReaders>;
