import { parseArgs } from 'node:util';
import { closest } from './closest.ts';
import type { Args, Command, Option } from './command.ts';
import { UsageError } from './usage-error.ts';

/** Options that every command takes. */
export const GLOBAL_OPTIONS: Readonly<Record<string, Option>> = {
  json: { type: 'boolean', help: 'one JSON document' },
  yaml: { type: 'boolean', help: 'one YAML document' },
  quiet: { type: 'boolean', short: 'q', help: 'names only' },
  profile: { type: 'string', value: 'NAME', help: 'profile to use' },
  partition: { type: 'string', value: 'ID', help: 'partition to work in' },
  project: { type: 'string', value: 'ID', help: 'project to work in' },
  help: { type: 'boolean', short: 'h', help: 'this text' },
};

export const parseCommandLine = (command: Command, argv: readonly string[]): Args => {
  const options = { ...GLOBAL_OPTIONS, ...command.options };
  const spec = Object.fromEntries(
    Object.entries(options).map(([name, option]) => [
      name,
      {
        type: option.type,
        ...(option.short ? { short: option.short } : {}),
        ...(option.multiple ? { multiple: true } : {}),
      },
    ]),
  );
  const parsed = parse(argv, spec, Object.keys(options));
  const given = command.positionals ?? [];
  const forms = ['json', 'yaml', 'quiet'].filter((form) => parsed.values[form] === true);
  if (forms.length > 1) {
    throw new UsageError(`--${forms[0]} and --${forms[1]} exclude each other`, 'give one of them');
  }
  if (!parsed.values.help) checkPositionals(command, parsed.positionals);
  const byName = new Map(given.map((one, index) => [one.name, parsed.positionals[index]]));
  const value = (name: string) => parsed.values[name];
  return {
    positional: (name) => byName.get(name) ?? '',
    optionalPositional: (name) => byName.get(name),
    rest: parsed.positionals.slice(given.length),
    string: (name) => {
      const found = value(name);
      return typeof found === 'string' ? found : undefined;
    },
    strings: (name) => {
      const found = value(name);
      return Array.isArray(found) ? found.map(String) : [];
    },
    flag: (name) => value(name) === true,
    typed: (names) =>
      parsed.tokens
        .filter((token) => token.kind === 'option')
        .filter((token) => names.has(token.name))
        .map((token) =>
          token.value === undefined
            ? `--${token.name}`
            : `--${token.name} ${shellQuoted(token.value)}`,
        ),
  };
};

type ParseSpec = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>;

const parse = (argv: readonly string[], spec: ParseSpec, known: readonly string[]) => {
  try {
    return parseArgs({
      args: [...argv],
      options: spec,
      allowPositionals: true,
      strict: true,
      tokens: true,
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const unknown = /Unknown option '(-+[^']*)'/.exec(message)?.[1];
    if (unknown) {
      const nearest = closest(unknown.replace(/^-+/, ''), known);
      throw new UsageError(
        `unknown option ${unknown}`,
        nearest ? `did you mean --${nearest}? See --help` : 'see --help',
      );
    }
    throw new UsageError(message.split('. ')[0] ?? message, 'see --help');
  }
};

const checkPositionals = (command: Command, values: readonly string[]): void => {
  const given = command.positionals ?? [];
  const missing = given.find((one, index) => !one.optional && values[index] === undefined);
  if (missing) throw new UsageError(`${missing.name.toUpperCase()} is missing`, missing.help);
  const extra = values[given.length];
  if (extra !== undefined && !command.rest) {
    throw new UsageError(`unexpected argument "${extra}"`, 'see --help');
  }
  if (extra === undefined && command.rest && !command.rest.optional) {
    throw new UsageError(`${command.rest.name.toUpperCase()} is missing`, command.rest.help);
  }
  const at = values.findIndex((value, index) => value === '' && !given[index]?.mayBeEmpty);
  const empty = given[at] ?? command.rest;
  if (at >= 0 && empty) throw new UsageError(`${empty.name.toUpperCase()} is empty`, empty.help);
};

/** As a shell reads it back. */
export const shellQuoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
