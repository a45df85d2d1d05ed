import { systemClock } from '../runtime/clock.ts';
import { systemRandom } from '../runtime/random.ts';
import { CATALOGUE } from './catalogue.ts';
import type { NounEntry } from './catalogue-entry.ts';
import { closest } from './closest.ts';
import type { Args, Command, Context } from './command.ts';
import { EXIT } from './exit.ts';
import { commandHelp, nounHelp, topHelp } from './help.ts';
import { createOutput, type Output, type OutputMode } from './output.ts';
import { parseCommandLine } from './parse-args.ts';
import { resolveSettings, type Settings } from './profile.ts';
import { reportError } from './report-error.ts';
import { StoppedError } from './stopped-error.ts';
import { UsageError } from './usage-error.ts';

/** Options that say where and as whom somebody works. */
const PLACE: ReadonlySet<string> = new Set(['profile', 'partition', 'project']);

/** Runs one command line; resolves to the exit code. */
export const main = async (argv: readonly string[]): Promise<number> => {
  const streams = { stdout: process.stdout, stderr: process.stderr };
  let output = createOutput(streams, modeOf(argv));
  let endpoint = '';
  process.stdout.on('error', endOnBrokenPipe);
  try {
    const found = await findCommand(argv, output);
    if (!found) return EXIT.ok;
    const args = parseCommandLine(found.command, found.rest);
    output = createOutput(streams, modeOf(found.rest), args.typed(PLACE));
    if (args.flag('help')) {
      output.result(commandHelp(found.path, found.command));
      return EXIT.ok;
    }
    const settings = settingsFor(args);
    endpoint = settings.endpoint;
    return await runCommand(found.command, args, { output, settings });
  } catch (error) {
    return reportError(output, error, endpoint);
  }
};

const runCommand = async (
  command: Command,
  args: Args,
  { output, settings }: { output: Output; settings: Settings },
): Promise<number> => {
  const interrupt = new AbortController();
  const onInterrupt = () => {
    if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
    interrupt.abort(new StoppedError('interrupted', 'interrupted'));
  };
  process.on('SIGINT', onInterrupt);
  const connection = command.offline ? undefined : await openConnection(settings);
  const context: Context = {
    settings,
    transport: connection?.transport ?? noTransport,
    output,
    clock: systemClock,
    random: systemRandom,
    env: process.env,
    stdin: process.stdin,
    signal: interrupt.signal,
  };
  try {
    return (await command.run(context, args)) ?? EXIT.ok;
  } finally {
    process.off('SIGINT', onInterrupt);
    connection?.close();
  }
};

// Loaded here and not at the top: help, completion and mistakes are told without it.
const openConnection = async (settings: Settings) =>
  (await import('./connection.ts')).lazyTransport(settings);

const noTransport = (): never => {
  throw new Error('a command that says `offline` called a server');
};

type Found = { readonly path: string; readonly command: Command; readonly rest: readonly string[] };

const HELP: ReadonlySet<string | undefined> = new Set(['help', '--help', '-h']);

const findCommand = async (argv: readonly string[], output: Output): Promise<Found | undefined> => {
  const [noun, verb, ...rest] = argv;
  if (noun === 'help' && verb !== undefined) return findCommand([verb, ...rest, '--help'], output);
  if (noun === undefined || HELP.has(noun)) {
    output.result(topHelp(CATALOGUE));
    return undefined;
  }
  if (noun === '--version') return findCommand(['version'], output);
  const entry = CATALOGUE[noun];
  if (!entry) throw noSuchNoun(noun);
  if ('load' in entry) return { path: noun, command: await entry.load(), rest: argv.slice(1) };
  if (verb === undefined || HELP.has(verb)) {
    output.result(nounHelp(noun, entry));
    return undefined;
  }
  return findVerb({ noun, entry, verb, rest }, output);
};

type Typed = {
  readonly noun: string;
  readonly entry: NounEntry;
  readonly verb: string;
  readonly rest: readonly string[];
};

/** Some verbs are two words, such as `agent token create`. */
const findVerb = async (
  { noun, entry, verb, rest }: Typed,
  output: Output,
): Promise<Found | undefined> => {
  const [second] = rest;
  const two = entry.verbs[`${verb} ${second ?? ''}`];
  if (two) {
    return { path: `${noun} ${verb} ${second}`, command: await two.load(), rest: rest.slice(1) };
  }
  const found = entry.verbs[verb];
  if (found) return { path: `${noun} ${verb}`, command: await found.load(), rest };
  const verbs = Object.keys(entry.verbs);
  const seconds = verbs.flatMap((one) =>
    one.startsWith(`${verb} `) ? [one.slice(verb.length + 1)] : [],
  );
  if (seconds.length === 0) {
    throw new UsageError(
      `${noun} has no verb "${verb.slice(0, 40)}"`,
      nearestVerb(noun, verb, verbs),
    );
  }
  if (second === undefined || HELP.has(second)) {
    output.result(nounHelp(noun, entry, verb));
    return undefined;
  }
  const nearest = nearestVerb(`${noun} ${verb}`, second, seconds);
  throw new UsageError(`${noun} ${verb} has no verb "${second.slice(0, 40)}"`, nearest);
};

const nearestVerb = (noun: string, typed: string, verbs: readonly string[]): string => {
  const nearest = closest(typed, verbs);
  return nearest ? `did you mean \`runm ${noun} ${nearest}\`?` : `it has: ${verbs.join(', ')}`;
};

const noSuchNoun = (typed: string): UsageError => {
  if (typed.startsWith('-')) {
    const what = `${typed.slice(0, 40)} stands before the command`;
    return new UsageError(what, 'options come last: runm machine list --json');
  }
  const nearest = closest(typed, Object.keys(CATALOGUE));
  return new UsageError(
    `there is no command "${typed.slice(0, 40)}"`,
    nearest ? `did you mean \`runm ${nearest}\`?` : 'see `runm --help`',
  );
};

const modeOf = (argv: readonly string[]): OutputMode => {
  if (argv.includes('--json')) return 'json';
  if (argv.includes('--yaml')) return 'yaml';
  return argv.includes('--quiet') || argv.includes('-q') ? 'quiet' : 'table';
};

const settingsFor = (args: Args): Settings => {
  const settings = resolveSettings(process.env, args.string('profile'));
  return {
    ...settings,
    partition: args.string('partition') ?? settings.partition,
    project: args.string('project') ?? settings.project,
  };
};

/** `runm … | head` ends the pipe early; that is no error of ours. */
const endOnBrokenPipe = (error: NodeJS.ErrnoException): void => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
};
