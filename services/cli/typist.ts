import type { Context, Option } from './command.ts';
import { formatSpanMs, parseSpanSeconds } from './format/span.ts';

const LEAVE = 0x1d; // ctrl-]

/** How long a console stays open after the input, which off a terminal has an end. */
export const LINGER: Readonly<Record<string, Option>> = {
  linger: {
    type: 'string',
    value: 'SPAN',
    help: 'off a terminal: how long to go on once the input has ended (5s)',
  },
};

export type Typing = {
  /** Off a terminal the input counts for nothing, its end neither. */
  readonly readOnly: boolean;
  readonly lingerMs: number;
};

/** Errors: usage. */
export const typingOf = (readOnly: boolean, linger: string | undefined): Typing => ({
  readOnly,
  lingerMs: parseSpanSeconds(linger ?? '5s', '--linger') * 1_000,
});

export type Typist = AsyncDisposable & {
  /** Puts the terminal into raw mode, once the console is open. */
  readonly begin: () => void;
  readonly typed: () => AsyncIterable<Uint8Array>;
  /** Aborts when the person leaves. */
  readonly signal: AbortSignal;
  readonly left: () => boolean;
};

/**
 * Reads what a person types until ctrl-]. Off a terminal, standard input is sent as it is, and some
 * time after its end the console is left, so that scripts come to theirs.
 */
export const openTypist = (context: Context, { readOnly, lingerMs }: Typing): Typist => {
  const { stdin, clock } = context;
  const leave = new AbortController();
  const signal = AbortSignal.any([leave.signal, context.signal]);
  const begun = Promise.withResolvers<void>();
  let raw = false;
  const typed = async function* (): AsyncGenerator<Uint8Array> {
    if (readOnly && stdin.isTTY !== true) return aborted(signal);
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
    await Promise.race([begun.promise, aborted(signal)]);
    if (signal.aborted) return;
    const ends = `leaves in ${formatSpanMs(lingerMs)} (--linger)`;
    context.output.remark(`\r\nthe input has ended; ${ends}, --read-only stays\r`);
    await clock.sleep(lingerMs, signal).catch(() => undefined);
    leave.abort();
  };
  return {
    begin: () => {
      begun.resolve();
      if (!stdin.isTTY || raw) return;
      stdin.setRawMode(true);
      raw = true;
    },
    typed,
    signal,
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
