import type { Command } from '../command.ts';
import { GLOBAL_OPTIONS } from '../parse-args.ts';
import { UsageError } from '../usage-error.ts';

/**
 * The scripts ask runm itself for the words (`runm completion words …`), so that they never fall
 * behind the catalogue. No server is asked: completion must not wait.
 */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_runm() {
  local IFS=$'\\n'
  local found="$(runm completion words "\${COMP_WORDS[*]:1:COMP_CWORD-1}" 2>/dev/null)"
  COMPREPLY=($(compgen -W "$found" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _runm runm`,
  zsh: `#compdef runm
_runm() {
  local -a found
  found=("\${(@f)$(runm completion words "\${words[2,CURRENT-1]}" 2>/dev/null)}")
  compadd -a found
}
compdef _runm runm`,
  fish: `function __runm_words
  runm completion words (commandline -opc | tail -n +2 | string join " ") 2>/dev/null
end
complete -c runm -f -a '(__runm_words)'`,
};

export const completion: Command = {
  summary: 'print shell completion; for example: source <(runm completion bash)',
  offline: true,
  positionals: [
    { name: 'shell', help: 'bash, zsh or fish' },
    { name: 'typed', help: 'words typed so far, for the scripts', optional: true },
  ],
  run: async (context, args) => {
    const shell = args.positional('shell');
    if (shell === 'words') {
      const words = await wordsAfter((args.optionalPositional('typed') ?? '').split(/\s+/));
      context.output.result(words.join('\n'));
      return undefined;
    }
    const script = SCRIPTS[shell];
    if (!script) throw new UsageError(`no completion for "${shell}"`, 'bash, zsh or fish');
    context.output.result(script);
    return undefined;
  },
};

const wordsAfter = async (typed: readonly string[]): Promise<string[]> => {
  const { CATALOGUE } = await import('../catalogue.ts');
  const [noun = '', verb = '', second = ''] = typed;
  const entry = CATALOGUE[noun];
  if (!entry) return Object.keys(CATALOGUE);
  if ('load' in entry) return optionWords((await entry.load()).options);
  const twoWords = entry.verbs[`${verb} ${second}`];
  const found = twoWords ?? entry.verbs[verb];
  if (found) return optionWords((await found.load()).options);
  const deeper = Object.keys(entry.verbs).filter((one) => one.startsWith(`${verb} `));
  if (verb !== '' && deeper.length > 0) return deeper.map((one) => one.split(' ')[1] ?? '');
  return [...new Set(Object.keys(entry.verbs).map((one) => one.split(' ')[0] ?? ''))];
};

const optionWords = (options: Command['options']): string[] =>
  Object.keys({ ...options, ...GLOBAL_OPTIONS }).map((name) => `--${name}`);
