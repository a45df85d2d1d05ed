import type { Catalogue, NounEntry } from './catalogue-entry.ts';
import type { Command } from './command.ts';
import { GLOBAL_OPTIONS } from './parse-args.ts';

const columns = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
};

export const topHelp = (catalogue: Catalogue): string =>
  [
    'runm: physical and virtual machines, claimed, booted and given back',
    '',
    'usage: runm <noun> <verb> [arguments] [options]',
    '',
    columns(Object.entries(catalogue).map(([name, entry]) => [name, entry.summary])),
    '',
    'Options of every command:',
    columns(optionRows(GLOBAL_OPTIONS)),
    '',
    'Environment: RUNM_ENDPOINT, RUNM_CA_FILE, RUNM_TOKEN, RUNM_TOKEN_FILE, RUNM_PARTITION,',
    'RUNM_PROJECT, RUNM_PROFILE, RUNM_CONFIG. See `runm <noun> <verb> --help`.',
  ].join('\n');

export const nounHelp = (noun: string, entry: NounEntry): string =>
  [
    `${noun}: ${entry.summary}`,
    '',
    columns(
      Object.entries(entry.verbs).map(([verb, one]) => [`runm ${noun} ${verb}`, one.summary]),
    ),
  ].join('\n');

export const commandHelp = (path: string, command: Command): string => {
  const positionals = [...(command.positionals ?? []), ...(command.rest ? [command.rest] : [])];
  const usage = positionals.map((one) => {
    const word = `${one.name.toUpperCase()}${one === command.rest ? '…' : ''}`;
    return one.optional ? `[${word}]` : word;
  });
  const sections = [
    `${command.summary}`,
    `usage: runm ${[path, ...usage].join(' ')} [options]`,
    ...(positionals.length
      ? [columns(positionals.map((one) => [one.name.toUpperCase(), one.help]))]
      : []),
    ...(command.options ? [`Options:\n${columns(optionRows(command.options))}`] : []),
    ...(command.examples ? [`Examples:\n${command.examples.map((e) => `  ${e}`).join('\n')}`] : []),
  ];
  return sections.join('\n\n');
};

const optionRows = (options: NonNullable<Command['options']>): [string, string][] =>
  Object.entries(options).map(([name, option]) => [
    `${option.short ? `-${option.short}, ` : ''}--${name}${option.value ? ` ${option.value}` : ''}`,
    option.help,
  ]);
