/**
 * Configuration from one YAML file and the environment. A section is an object of settings
 * (config-settings.ts); keys are camelCase in code, snake_case in the file, and RUNM_<PATH> in the
 * environment, which wins. Unknown keys are refused by name with the nearest known one: a misspelt
 * setting must not silently be the default.
 */
import { isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { closest } from './closest.ts';
import { type ConfigOf, type Section, type Setting, snake } from './config-settings.ts';
import { invalidArgument } from './errors.ts';

export type ConfigSources = {
  /** Text of the file; absent = none. */
  readonly yaml?: string;
  /** Name of the file, for messages. */
  readonly file?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * RUNM_ variables that are not settings, whole names or prefixes ending in "_": they are left
   * alone.
   */
  readonly otherEnv?: readonly string[];
};

/**
 * Throws INVALID_ARGUMENT INVALID_FIELD naming every wrong key with its line, what is wrong and
 * what is right.
 */
export const loadConfig = <S extends Section>(schema: S, sources: ConfigSources): ConfigOf<S> => {
  const entries = flatten(schema);
  const problems: string[] = [];
  const values = new Map<string, unknown>();
  for (const [path, setting] of entries) values.set(path, setting.fallback);
  readYaml(entries, sources, { values, problems });
  readEnv(entries, sources, { values, problems });
  if (problems.length > 0) {
    throw invalidArgument(
      'INVALID_FIELD',
      `The configuration is not valid:\n  ${problems.join('\n  ')}`,
    );
  }
  return assemble(schema, values, '') as ConfigOf<S>;
};

/**
 * The whole configuration with its defaults as YAML, each key with its sentence and its variable.
 */
export const printDefaults = (schema: Section, depth = 0, prefix = ''): string =>
  Object.entries(schema)
    .map(([key, entry]) => {
      const indent = '  '.repeat(depth);
      const path = `${prefix}${snake(key)}`;
      return isSetting(entry)
        ? `${indent}# ${entry.describe} (${envName(path)})\n` +
            `${indent}${snake(key)}: ${quoted(entry.shown)}\n`
        : `${indent}${snake(key)}:\n${printDefaults(entry, depth + 1, `${path}.`)}`;
    })
    .join('');

type Found = { readonly values: Map<string, unknown>; readonly problems: string[] };
type Entries = ReadonlyMap<string, Setting<unknown>>;

const isSetting = (entry: Setting<unknown> | Section): entry is Setting<unknown> =>
  entry.kind === 'setting';

const envName = (path: string): string => `RUNM_${path.replaceAll('.', '_').toUpperCase()}`;
const quoted = (shown: string): string =>
  /^[A-Za-z0-9[][\w./, [\]-]*$/.test(shown) ? shown : JSON.stringify(shown);

/** Settings by path in the file's spelling, "people.listen_port". */
const flatten = (schema: Section, prefix = ''): Entries => {
  const entries = new Map<string, Setting<unknown>>();
  for (const [key, entry] of Object.entries(schema)) {
    const path = `${prefix}${snake(key)}`;
    if (isSetting(entry)) entries.set(path, entry);
    else for (const [inner, setting] of flatten(entry, `${path}.`)) entries.set(inner, setting);
  }
  return entries;
};

const readYaml = (entries: Entries, sources: ConfigSources, found: Found): void => {
  if (sources.yaml === undefined) return;
  const file = sources.file ?? 'configuration';
  const lines = new LineCounter();
  const document = parseDocument(sources.yaml, { lineCounter: lines, uniqueKeys: true });
  for (const error of document.errors) {
    found.problems.push(
      `${file}:${lines.linePos(error.pos[0]).line}: ${error.message.split('\n')[0]}`,
    );
  }
  if (document.errors.length > 0) return;
  const lineOf = (path: readonly string[]): number => {
    const parent: unknown = document.getIn(path.slice(0, -1), true);
    const pair = isMap(parent)
      ? parent.items.find((one) => keyOf(one.key) === path.at(-1))
      : undefined;
    const start = isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
    return start === undefined ? 1 : lines.linePos(start).line;
  };
  const visit = (value: unknown, path: readonly string[]): void => {
    const name = path.join('.');
    const setting = entries.get(name);
    const where = `${file}:${lineOf(path)}`;
    if (setting !== undefined) accept(setting, { name, where, value }, found);
    else if (isSection(entries, name)) {
      if (isRecord(value)) {
        for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key]);
      } else if (value !== null) found.problems.push(`${where}: "${name}" must be a section`);
    } else found.problems.push(`${where}: ${unknownKey(name, namesIn(entries))}`);
  };
  // 100 aliases at most: a small file must not unfold into a large one.
  visit(document.toJS({ maxAliasCount: 100 }), []);
};

const readEnv = (entries: Entries, sources: ConfigSources, found: Found): void => {
  const byName = new Map([...entries.keys()].map((path) => [envName(path), path]));
  for (const [name, value] of Object.entries(sources.env)) {
    if (!name.startsWith('RUNM_') || value === undefined) continue;
    const path = byName.get(name);
    const setting = path === undefined ? undefined : entries.get(path);
    if (path !== undefined && setting !== undefined) {
      accept(setting, { name: path, where: `environment ${name}`, value }, found);
    } else if (!isOther(name, sources.otherEnv ?? [])) {
      found.problems.push(`environment: ${unknownKey(name, byName.keys())}`);
    }
  }
};

const isOther = (name: string, others: readonly string[]): boolean =>
  others.some((other) => name === other || (other.endsWith('_') && name.startsWith(other)));

type Given = { readonly name: string; readonly where: string; readonly value: unknown };

const accept = (setting: Setting<unknown>, given: Given, found: Found): void => {
  const read = setting.read(given.value);
  if (read.ok) {
    found.values.set(given.name, read.value);
    return;
  }
  const shown = JSON.stringify(given.value)?.slice(0, 60) ?? 'nothing';
  found.problems.push(`${given.where}: "${given.name}" must be ${read.want}, not ${shown}`);
};

const unknownKey = (name: string, known: Iterable<string>): string => {
  const near = closest(name, known);
  return `"${name}" is not a setting${near === undefined ? '' : `; did you mean "${near}"?`}`;
};

/** Settings and sections. */
const namesIn = (entries: Entries): ReadonlySet<string> => {
  const names = new Set(entries.keys());
  for (const path of entries.keys()) {
    for (let at = path.indexOf('.'); at > 0; at = path.indexOf('.', at + 1)) {
      names.add(path.slice(0, at));
    }
  }
  return names;
};

const isSection = (entries: Entries, name: string): boolean =>
  name === '' || [...entries.keys()].some((path) => path.startsWith(`${name}.`));

const keyOf = (key: unknown): string => (isScalar(key) ? String(key.value) : '');

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const assemble = (
  schema: Section,
  values: ReadonlyMap<string, unknown>,
  prefix: string,
): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(schema).map(([key, entry]) => {
      const path = `${prefix}${snake(key)}`;
      return [key, isSetting(entry) ? values.get(path) : assemble(entry, values, `${path}.`)];
    }),
  );
