import type { Args, Context, Option, Stdin } from './command.ts';
import { StoppedError } from './stopped-error.ts';
import { UsageError } from './usage-error.ts';

export const YES: Readonly<Record<string, Option>> = {
  yes: { type: 'boolean', short: 'y', help: 'do not ask for the name first' },
};

export type Deed = {
  /** What has to be typed. */
  readonly name: string;
  /** What would happen, without a full stop: "this powers r1u1 off at once". */
  readonly what: string;
};

/**
 * What somebody at work would miss is not done by a slip of the finger: its name is typed once
 * more. Errors: UsageError where it is not, or where there is no terminal to ask on; StoppedError
 * when it is given up.
 */
export const confirmByName = async (context: Context, args: Args, deed: Deed): Promise<void> => {
  if (args.flag('yes')) return;
  const { stdin, output } = context;
  if (!stdin.isTTY) {
    throw new UsageError(
      `${deed.what}; it is asked for first, and there is no terminal to ask on`,
      'add --yes where it is meant',
    );
  }
  output.remark(`${deed.what}. Type ${deed.name} to go on:`);
  const typed = await typedLine(stdin, context.signal);
  if (typed.trim() === deed.name) return;
  throw new UsageError('not confirmed; nothing was done', `--yes does it without a question`);
};

const LINE_CHARS_MAX = 1024;

const typedLine = (stdin: Stdin, signal: AbortSignal): Promise<string> => {
  const line = Promise.withResolvers<string>();
  let typed = '';
  const onData = (part: Buffer | string): void => {
    typed += part.toString();
    const end = typed.search(/[\r\n]/);
    if (end >= 0) line.resolve(typed.slice(0, end));
    else if (typed.length > LINE_CHARS_MAX) line.resolve('');
  };
  const onEnd = () => line.resolve('');
  const onAbort = () => line.reject(new StoppedError('interrupted', 'interrupted'));
  stdin.on('data', onData).once('end', onEnd).resume();
  signal.addEventListener('abort', onAbort, { once: true });
  return line.promise.finally(() => {
    stdin.off('data', onData).off('end', onEnd).pause();
    signal.removeEventListener('abort', onAbort);
  });
};
