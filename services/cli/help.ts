import type { Catalogue, NounEntry } from './catalogue-entry.ts';
import type { Command } from './command.ts';
import { NOUN_EXAMPLES } from './noun-examples.ts';
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
    'RUNM_PROJECT, RUNM_PROFILE, RUNM_CONFIG. `runm help NOUN` shows the verbs of one, with examples.',
  ].join('\n');

/** All verbs of a noun, or those of two words that begin with the one. */
export const nounHelp = (noun: string, entry: NounEntry, first = ''): string => {
  const verbs = Object.entries(entry.verbs).filter(
    ([verb]) => first === '' || verb.startsWith(`${first} `),
  );
  const examples = first === '' ? (NOUN_EXAMPLES[noun] ?? []) : [];
  return [
    `${noun}${first && ` ${first}`}: ${entry.summary}`,
    '',
    columns(verbs.map(([verb, one]) => [`runm ${noun} ${verb}`, one.summary])),
    ...(examples.length > 0 ? ['', exampleText(examples)] : []),
    '',
    `\`runm ${noun} ${first && `${first} `}VERB --help\` says more.`,
  ].join('\n');
};

const exampleText = (examples: readonly string[]): string =>
  ['Examples:', ...examples.map((example) => `  ${example}`)].join('\n');

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
    ...(command.examples ? [exampleText(command.examples)] : []),
  ];
  return sections.join('\n\n');
};

const optionRows = (options: NonNullable<Command['options']>): [string, string][] =>
  Object.entries(options).map(([name, option]) => [
    `${option.short ? `-${option.short}, ` : ''}--${name}${option.value ? ` ${option.value}` : ''}`,
    option.help,
  ]);
