import type { Transport } from '@connectrpc/connect';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import type { Output } from './output.ts';
import type { Environment, Settings } from './profile.ts';

/** One verb of one noun. The catalogue names it, its module is loaded only when it is called. */
export type Command = {
  readonly summary: string;
  readonly positionals?: readonly Positional[];
  /** What may follow the positionals, any number of times. */
  readonly rest?: Positional;
  readonly options?: Readonly<Record<string, Option>>;
  readonly examples?: readonly string[];
  /** Never calls a server: what calls need is not loaded. */
  readonly offline?: true;
  /** Resolves to the exit code; nothing is 0. */
  readonly run: (context: Context, args: Args) => Promise<number | undefined>;
};
export type Positional = {
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
  /** The words that it may be, for completion. Absent: anything. */
  readonly choices?: readonly string[];
  /** An empty text is one too. */
  readonly mayBeEmpty?: boolean;
};
export type Option = {
  readonly type: 'string' | 'boolean';
  readonly help: string;
  readonly short?: string;
  readonly multiple?: boolean;
  /** How the value is shown in help, for example "SIZE". */
  readonly value?: string;
  /** The words that its value may be, for completion. Absent: anything. */
  readonly choices?: readonly string[];
};

export type Args = {
  /** A positional that the command declares; a missing one that is not optional never gets here. */
  readonly positional: (name: string) => string;
  readonly optionalPositional: (name: string) => string | undefined;
  /** What follows the declared positionals; empty unless the command declares `rest`. */
  readonly rest: readonly string[];
  readonly string: (name: string) => string | undefined;
  readonly strings: (name: string) => readonly string[];
  readonly flag: (name: string) => boolean;
  /** Those of the named options that were given, as one would type them again. */
  readonly typed: (names: ReadonlySet<string>) => readonly string[];
};

/** Standard input, on a terminal or off one. */
export type Stdin = AsyncIterable<string | Uint8Array> &
  Pick<NodeJS.ReadableStream, 'on' | 'once' | 'off' | 'pause' | 'resume'> & {
    readonly isTTY?: boolean;
    readonly setRawMode: (raw: boolean) => unknown;
  };

export type Context = {
  readonly settings: Settings;
  /** Connects on first use. Throws in a command that says `offline`. */
  readonly transport: () => Transport;
  readonly output: Output;
  readonly clock: Clock;
  readonly random: Random;
  readonly env: Environment;
  readonly stdin: Stdin;
  /** Aborts on the first Ctrl-C. */
  readonly signal: AbortSignal;
};
