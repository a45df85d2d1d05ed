import type { Context, Stdin } from './command.ts';
import { StoppedError } from './stopped-error.ts';
import { UsageError } from './usage-error.ts';

const LINE_CHARS_MAX = 65_536;

/**
 * Asks on standard error and reads one line from the terminal without showing it. Errors:
 * StoppedError when it is given up (ctrl-c, ctrl-d), UsageError when there is no terminal.
 */
export const askHidden = async (context: Context, question: string): Promise<string> => {
  const { stdin } = context;
  if (!stdin.isTTY) throw new UsageError('there is no terminal to ask on');
  process.stderr.write(`${question}: `);
  stdin.setRawMode(true);
  try {
    return await readLine(stdin);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    process.stderr.write('\n');
  }
};

const readLine = (stdin: Stdin): Promise<string> => {
  const line = Promise.withResolvers<string>();
  const typed: string[] = [];
  const onData = (part: Buffer | string): void => {
    // By characters, so that one backspace takes one away.
    for (const char of part.toString()) {
      if (char === '\r' || char === '\n') line.resolve(typed.join(''));
      else if (char === '\u0003' || char === '\u0004') {
        line.reject(new StoppedError('interrupted', 'interrupted'));
      } else if (char === '\u007f' || char === '\b') typed.pop();
      else if (typed.length < LINE_CHARS_MAX) typed.push(char);
    }
  };
  const onEnd = () => line.reject(new UsageError('the terminal is gone'));
  stdin.on('data', onData).once('end', onEnd).resume();
  return line.promise.finally(() => stdin.off('data', onData).off('end', onEnd));
};
