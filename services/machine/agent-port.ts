/**
 * Sessions and consoles of agents, between rpc/, which speaks the contract, and work/, which stores
 * and decides. Kept small: there are ten thousand sessions in a process.
 */
import type { BmcAnswer, BmcOrder, Controller } from '../../gen/runmachine/agent/v1/bmc_pb.ts';
import type { EventDraft } from './domain/event.ts';
import type { Held } from './domain/hello.ts';
import type { Observed } from './domain/machine.ts';
import type { AssignmentRow, HostFacts } from './ports.ts';

export type HelloView = {
  readonly agentUid: string;
  readonly instanceId: string;
  readonly journalId: string;
  readonly programVersion: string;
  readonly roles: readonly string[];
  readonly held: readonly Held[];
  readonly host: HostFacts | null;
};

/** A message to the agent. */
export type Down =
  | { readonly kind: 'welcome' }
  | { readonly kind: 'assignment'; readonly bytes: Uint8Array }
  /** `orphans`: uids of what it holds and nobody wants. */
  | { readonly kind: 'synced'; readonly orphans: readonly string[] }
  | { readonly kind: 'acknowledged'; readonly sequence: number }
  | { readonly kind: 'goodbye'; readonly reason: string }
  | {
      readonly kind: 'open-channel';
      readonly commandId: string;
      readonly channelId: string;
      readonly targetUid: string;
      readonly readOnly: boolean;
      readonly replayBytes: number;
      readonly logOnly: boolean;
      readonly by: string;
      readonly reason?: string;
      /** Serial console of a provider, for an operator. */
      readonly site?: { readonly controller: Controller; readonly provider: string };
    }
  | {
      readonly kind: 'order';
      readonly commandId: string;
      readonly validForMs: number;
      readonly order: BmcOrder;
    };

/** A message of the agent that is stored, with its sequence number. */
export type Report =
  | {
      readonly kind: 'observation';
      readonly sequence: number;
      readonly uid: string;
      readonly seen: Observed;
    }
  | {
      readonly kind: 'event';
      readonly sequence: number;
      readonly targetUid: string;
      readonly draft: EventDraft;
    }
  | {
      readonly kind: 'command-result';
      readonly sequence: number;
      readonly commandId: string;
      readonly failure: { readonly reason: string; readonly message: string } | null;
      /** What came of an order at a controller. */
      readonly answer?: BmcAnswer;
    };

export type AgentSession = {
  readonly agentUid: string;
  /** Resource name. */
  readonly name: string;
  readonly partition: string;
  readonly agentKey: string;
  readonly epoch: number;
  /** Last sequence number that is stored. */
  storedSequence: number;
  /** Monotonic. */
  lastHeardMs: number;
  /**
   * Heartbeats since something was sent down; the agent takes long silence for a dead connection.
   */
  quietBeats: number;
  readonly outbox: Outbox<Down>;
  /** Ends of the consoles that are open through it. */
  readonly consoles: Set<() => void>;
  /** Reports that are not stored yet. */
  readonly reports: Report[];
  /** Called when reports were stored; set while the reader waits for room. */
  onRoom: (() => void) | undefined;
  isSynced: boolean;
  /** Why the agent is told an error at the end; undefined = the session just ends. */
  failure: unknown;
  isClosed: boolean;
};

/** What is on its way to one agent: bounded, in order, taken by the one stream that sends it. */
export type Outbox<T> = {
  /**
   * False when the outbox is full or ended: the session must end, the agent dials again and gets
   * the newest.
   */
  readonly push: (message: T) => boolean;
  /** Resolves when there is room again, or it ended. */
  readonly room: () => Promise<void>;
  /** What is queued is still delivered. */
  readonly end: () => void;
  /** Undefined: nothing is queued now. */
  readonly take: () => T | undefined;
  /** Resolves when something is queued, or with false when it ended and nothing will come. */
  readonly filled: () => Promise<boolean>;
};

export type AgentHub = {
  /**
   * Begins a session. Errors: permission_denied, failed_precondition INVALID_STATE while
   * quarantined.
   */
  readonly open: (hello: HelloView, signal: AbortSignal) => Promise<AgentSession>;
  /** Sends what the agent lacks and the mark after it. */
  readonly sendDifferences: (session: AgentSession, held: HelloView['held']) => Promise<void>;
  /** A sign of life; nothing is written for it. */
  readonly heard: (session: AgentSession, isHeartbeat: boolean) => void;
  /** Set while the agent must wait before it reports more. */
  readonly report: (session: AgentSession, report: Report) => Promise<void> | undefined;
  readonly close: (session: AgentSession, why: string) => void;
  /** By resource name in lower case. */
  readonly sessionOf: (key: string) => AgentSession | undefined;
  readonly sessions: () => Iterable<AgentSession>;
  readonly deliver: (rows: readonly AssignmentRow[]) => void;
  /** Ends sessions whose agent's row belongs to another by now. */
  readonly compare: (agentUids: readonly string[]) => Promise<void>;
  /** Works until the signal aborts; then all sessions are told to dial again. */
  readonly work: (signal: AbortSignal) => Promise<void>;
};

export type ConsoleOrder = {
  readonly targetUid: string;
  readonly readOnly: boolean;
  readonly replayBytes: number;
  readonly logOnly: boolean;
  /** Principal that asks. */
  readonly by: string;
  /** Told to a writer who is taken over; absent = nothing was said. */
  readonly reason?: string;
  /** Absent: the console of a machine. */
  readonly site?: { readonly controller: Controller; readonly provider: string };
};

/** What comes from the agent. */
export type ChannelPart =
  | { readonly kind: 'opened'; readonly readOnly: boolean; readonly truncated: boolean }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'taken-over'; readonly by: string }
  | { readonly kind: 'closed'; readonly why: string };

export type OpenConsole = {
  /** For WriteConsole. */
  readonly id: string;
  readonly targetUid: string;
  readonly by: string;
  readonly readOnly: boolean;
  readonly truncated: boolean;
  /** Everything after the opening; ends with `closed` or when the channel ends. */
  readonly parts: AsyncIterable<ChannelPart>;
  /** Resolves when the bytes are on their way; waits while the agent is slow. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly close: () => void;
};

/** The agent's side of a channel. */
export type Channel = {
  /** Hands one part over; waits while nobody takes it. */
  readonly put: (part: ChannelPart) => Promise<void>;
  /** The channel ended. */
  readonly end: () => void;
  /** What is typed; ends when nobody listens any more. */
  readonly typed: AsyncIterable<Uint8Array>;
};

export type ConsoleHub = {
  /** Errors: unavailable CONSOLE_UNAVAILABLE. */
  readonly open: (
    session: AgentSession,
    order: ConsoleOrder,
    signal: AbortSignal,
  ) => Promise<OpenConsole>;
  /** An open console by its id. */
  readonly find: (id: string) => OpenConsole | undefined;
  /** The agent dialled; undefined = nobody waits for that channel of that agent. */
  readonly accept: (agentUid: string, channelId: string) => Channel | undefined;
  readonly commandResult: (report: Extract<Report, { kind: 'command-result' }>) => void;
};
