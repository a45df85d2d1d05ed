import type { OpenChannel } from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import type { Assignment } from '../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { ConsoleOrder, GuestConsole } from './ports.ts';

/** Consoles of guests or of servers, as a channel reads and types at them. */
export type ConsoleSource = {
  readonly openConsole: (order: ConsoleOrder, signal: AbortSignal) => Promise<GuestConsole>;
  readonly readLog: (
    uid: string,
    tailBytes: number,
  ) => Promise<{ readonly bytes: Uint8Array; readonly truncated: boolean }>;
};

/** What an agent does in one of its roles, between the session and the drivers. */
export type Role = {
  readonly name: 'vm' | 'bmc';
  /** Whether what is wanted is this role's to bring about. */
  readonly owns: (assignment: Assignment) => boolean;
  /** Looks at this object soon. */
  readonly poke: (uid: string) => void;
  readonly pokeAll: () => void;
  /**
   * All that is wanted was told; `orphans` are uids of what is held here and nobody wants. Called
   * before anything is changed in that session.
   */
  readonly synced: (orphans: readonly string[]) => void;
  /** Where that console is; undefined = not in this role. */
  readonly consoleFor: (order: OpenChannel) => ConsoleSource | undefined;
  /** With `hostStops`, the ends that follow are ours and change nothing that is wanted. */
  readonly stop: (options: { readonly hostStops: boolean }) => Promise<void>;
};
