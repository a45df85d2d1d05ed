import type { Command, Option } from '../command.ts';
import { GLOBAL_OPTIONS } from '../parse-args.ts';
import { UsageError } from '../usage-error.ts';

/**
 * The scripts ask runm itself for the words (`runm completion words …`), so that they never fall
 * behind the catalogue. No server is asked: completion must not wait. Where there are no words,
 * after -f, shells offer files.
 */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_runm() {
  local IFS=$'\\n'
  local found="$(runm completion words -- "\${COMP_WORDS[*]:1:COMP_CWORD-1}" 2>/dev/null)"
  COMPREPLY=($(compgen -W "$found" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _runm runm`,
  zsh: `#compdef runm
_runm() {
  local -a found
  found=("\${(@f)$(runm completion words -- "\${words[2,CURRENT-1]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
if [[ "\${funcstack[1]}" == _runm ]]; then _runm "$@"; else compdef _runm runm; fi`,
  fish: `function __runm_words
  runm completion words -- (commandline -opc | tail -n +2 | string join " ") 2>/dev/null
end
complete -c runm -a '(__runm_words)'`,
};

const SHELLS = Object.keys(SCRIPTS);

export const completion: Command = {
  summary: 'print shell completion for bash, zsh or fish',
  offline: true,
  positionals: [
    { name: 'shell', help: 'bash, zsh or fish', choices: SHELLS },
    {
      name: 'typed',
      help: 'words typed so far, for the scripts',
      optional: true,
      mayBeEmpty: true,
    },
  ],
  examples: [
    'source <(runm completion bash)',
    'runm completion zsh > ~/.zfunc/_runm    # with ~/.zfunc in fpath',
    'runm completion fish > ~/.config/fish/completions/runm.fish',
  ],
  run: async (context, args) => {
    const shell = args.positional('shell');
    if (shell === 'words') {
      const typed = args.optionalPositional('typed') ?? '';
      const words = await wordsAfter(typed.split(/\s+/).filter((word) => word !== ''));
      if (words.length > 0) context.output.result(words.join('\n'));
      return undefined;
    }
    const script = SCRIPTS[shell];
    if (!script) throw new UsageError(`no completion for "${shell}"`, SHELLS.join(', '));
    context.output.result(script);
    return undefined;
  },
};

const wordsAfter = async (typed: readonly string[]): Promise<readonly string[]> => {
  const { CATALOGUE } = await import('../catalogue.ts');
  const [noun, verb, second, ...rest] = typed;
  if (noun === undefined || noun === 'help') return Object.keys(CATALOGUE);
  const entry = CATALOGUE[noun];
  if (entry === undefined) return [];
  if ('load' in entry) return nextWords(await entry.load(), typed.slice(1));
  const verbs = Object.keys(entry.verbs);
  if (verb === undefined) return [...new Set(verbs.map((one) => one.split(' ')[0] ?? ''))];
  const twoWords = entry.verbs[`${verb} ${second ?? ''}`];
  if (twoWords) return nextWords(await twoWords.load(), rest);
  const found = entry.verbs[verb];
  if (found) return nextWords(await found.load(), typed.slice(2));
  return verbs.filter((one) => one.startsWith(`${verb} `)).map((one) => one.split(' ')[1] ?? '');
};

/** The choices of an option that waits for its value, or of the next argument, and the options. */
const nextWords = (command: Command, typed: readonly string[]): readonly string[] => {
  const options: Readonly<Record<string, Option>> = { ...GLOBAL_OPTIONS, ...command.options };
  const byWord = (word: string | undefined): Option | undefined =>
    Object.entries(options).find(
      ([name, { short }]) => word === `--${name}` || (short && word === `-${short}`),
    )?.[1];
  const waiting = byWord(typed.at(-1));
  if (waiting?.type === 'string') return waiting.choices ?? [];
  const given = typed.filter(
    (word, at) => !word.startsWith('-') && byWord(typed[at - 1])?.type !== 'string',
  );
  const next = command.positionals?.[given.length] ?? command.rest;
  return [...(next?.choices ?? []), ...Object.keys(options).map((name) => `--${name}`)];
};
