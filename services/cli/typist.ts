import type { Context } from './command.ts';

const LEAVE = 0x1d; // ctrl-]

export type Typist = AsyncDisposable & {
  /** Puts the terminal into raw mode, once the console is open. */
  readonly begin: () => void;
  readonly typed: () => AsyncIterable<Uint8Array>;
  /** Aborts when the person leaves. */
  readonly signal: AbortSignal;
  readonly left: () => boolean;
};

/**
 * Reads what a person types until ctrl-]. Off a terminal, standard input is sent as it is, and the
 * console stays open after its end until the machine closes it or the caller is interrupted.
 */
export const openTypist = (context: Context): Typist => {
  const { stdin } = context;
  const leave = new AbortController();
  let raw = false;
  const typed = async function* (): AsyncGenerator<Uint8Array> {
    for await (const part of stdin) {
      const bytes = Buffer.from(part);
      const at = stdin.isTTY ? bytes.indexOf(LEAVE) : -1;
      if (at >= 0) {
        if (at > 0) yield bytes.subarray(0, at);
        leave.abort();
        return;
      }
      yield bytes;
    }
    await aborted(AbortSignal.any([leave.signal, context.signal]));
  };
  return {
    begin: () => {
      if (!stdin.isTTY || raw) return;
      stdin.setRawMode(true);
      raw = true;
    },
    typed,
    signal: AbortSignal.any([leave.signal, context.signal]),
    left: () => leave.signal.aborted,
    [Symbol.asyncDispose]: async () => {
      if (raw) stdin.setRawMode(false);
      stdin.pause();
      leave.abort();
    },
  };
};

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
