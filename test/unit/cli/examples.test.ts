/** The examples of commands are command lines. */
import test from 'ava';
import { CATALOGUE } from '../../../services/cli/catalogue.ts';
import type { Command } from '../../../services/cli/command.ts';
import { NOUN_EXAMPLES } from '../../../services/cli/noun-examples.ts';
import { parseCommandLine } from '../../../services/cli/parse-args.ts';

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
