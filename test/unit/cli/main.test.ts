/** Command lines as they are typed, told or refused before any server is asked. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { CATALOGUE } from '../../../services/cli/catalogue.ts';
import type { Command } from '../../../services/cli/command.ts';
import { NOUN_EXAMPLES } from '../../../services/cli/noun-examples.ts';
import { parseCommandLine } from '../../../services/cli/parse-args.ts';

const ENTRY = join(import.meta.dirname, '../../../services/cli/runm.mjs');

const runm = (...argv: readonly string[]) => {
  const env = {
    ...process.env,
    RUNM_CACHE_DIR: '',
    HOME: '/nowhere',
    RUNM_CONFIG: '/nowhere/none',
  };
  const options = { encoding: 'utf8' as const, env, timeout: 60_000 };
  const { status: code, stdout, stderr } = spawnSync(process.execPath, [ENTRY, ...argv], options);
  return { code, stdout, stderr };
};

test('help is had from every side', (t) => {
  const verbs = runm('machine').stdout;
  t.regex(verbs, /runm machine create[\s\S]*Examples:\n {2}runm machine create demo/);
  t.is(runm('help', 'machine').stdout, verbs);
  t.is(runm('machine', 'help').stdout, verbs);
  t.is(runm('help', 'machine', 'create').stdout, runm('machine', 'create', '--help').stdout);
  const power = runm('provider', 'power');
  t.regex(power.stdout, /runm provider power soft-off/);
  t.notRegex(power.stdout, /provider list/);
  t.is(power.code, 0);
});

test('what is misspelt is told with the nearest word', (t) => {
  const one = runm('provider', 'power', 'cycl');
  t.is(one.code, 2);
  t.regex(one.stderr, /provider power has no verb "cycl"\n +did you mean .*power cycle/);
  t.regex(runm('machne').stderr, /did you mean `runm machine`/);
  const before = runm('--json', 'machine', 'list');
  t.is(before.code, 2);
  t.regex(before.stderr, /--json stands before the command\n +options come last/);
});

/** The words of a line as a shell takes them, without what is piped or commented. */
const wordsOf = (line: string): string[] =>
  [...line.replace(/\s[#|>].*$/, '').matchAll(/(?:[^\s"'\\]|"[^"]*"|'[^']*'|\\.)+/g)].map(
    ([word]) => word.replaceAll(/["']/g, ''),
  );

const commandOf = async (words: readonly string[]): Promise<[Command, readonly string[]]> => {
  const [noun = '', verb = '', second = ''] = words;
  const entry = CATALOGUE[noun];
  if (entry === undefined) throw new Error(`there is no noun "${noun}"`);
  if ('load' in entry) return [await entry.load(), words.slice(1)];
  const two = entry.verbs[`${verb} ${second}`];
  const found = two ?? entry.verbs[verb];
  if (found === undefined) throw new Error(`${noun} has no verb "${verb}"`);
  return [await found.load(), words.slice(two ? 3 : 2)];
};

const examples = async (): Promise<string[]> => {
  const verbs = Object.values(CATALOGUE).flatMap((entry) =>
    'load' in entry ? [entry] : Object.values(entry.verbs),
  );
  const commands = await Promise.all(verbs.map((one) => one.load()));
  return [
    ...Object.values(NOUN_EXAMPLES).flat(),
    ...commands.flatMap((command) => command.examples ?? []),
  ];
};

test('every noun has an example, and every example is a command line that is understood', async (t) => {
  const nouns = Object.entries(CATALOGUE).flatMap(([noun, entry]) =>
    'load' in entry ? [] : [noun],
  );
  t.deepEqual(Object.keys(NOUN_EXAMPLES).toSorted(), nouns.toSorted());
  for (const example of await examples()) {
    const line = example.replace(/^.*?\|\s*(?=runm )/, '').replace(/^source <\((.*)\)$/, '$1');
    const [program, ...words] = wordsOf(line);
    t.is(program, 'runm', example);
    const [command, rest] = await commandOf(words);
    t.notThrows(() => parseCommandLine(command, rest), example);
  }
});
