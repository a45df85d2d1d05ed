import type { ProcessIdentity } from './process.ts';
import type { Program } from './program.ts';

export type Launch = {
  /** Unique among what runs; the guest's name. */
  readonly name: string;
  readonly program: Program;
  /** After the program's own arguments. */
  readonly arguments: readonly string[];
  /** Receives standard output and error; emptied first. */
  readonly outputPath: string;
};

export type Launched = {
  readonly identity: ProcessIdentity;
  /** Resolves when the process has ended, with a word on how. Null: only polling tells. */
  readonly exited: Promise<string> | null;
};

/**
 * Who keeps a guest's process alive when we die: nobody has to, a session of its own is enough
 * (supervisor-child.ts). The process outlives the one that started it.
 */
export type Supervisor = {
  /** Throws unavailable QEMU_START_FAILED with what the program wrote when it cannot be started. */
  readonly start: (launch: Launch, signal?: AbortSignal) => Promise<Launched>;
  readonly isRunning: (identity: ProcessIdentity) => Promise<boolean>;
  /** Ends the process at once; already so is fine. */
  readonly kill: (identity: ProcessIdentity) => Promise<void>;
};
