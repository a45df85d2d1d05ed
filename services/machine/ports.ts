/**
 * What this service needs of its records and of the other services. store/ implements the records;
 * work/ and rpc/ use them inside the transactions of store/sql. A uid or key that is not there
 * answers undefined, never an error.
 */
import type { Access } from '../runtime/access.ts';
import type { Page } from '../store/sql/page.ts';
import type { Reader, Tx } from '../store/sql/transaction.ts';
import type { ConsoleRecords, ConsoleTokenRecords } from './console-ports.ts';
import type { UsedPlace } from './domain/claim.ts';
import type { EventDraft, EventRecord } from './domain/event.ts';
import type { Greeting, Held } from './domain/hello.ts';
import type { Image } from './domain/image.ts';
import type { MachineState } from './domain/lifecycle.ts';
import type { Machine } from './domain/machine.ts';
import type { AssignmentChange } from './domain/view.ts';
import type { ClaimNewsRecords, SinkRecords } from './event-ports.ts';
import type { HardwareRecords, TaskRecords } from './hardware-ports.ts';
import type { OperationRecords } from './operation-ports.ts';
import type { CleaningRecords, ConflictRecords, ProviderStateRecords } from './provider-ports.ts';

/** A place in names; ids compare without regard to case. "-" = any. */
export type Parent = { readonly partition: string; readonly project: string };
export type MachinePath = Parent & { readonly machine: string };

export type MachineFilter = {
  readonly parent: Parent;
  readonly access: Access;
  /** Empty = all but gone. */
  readonly states: readonly MachineState[];
};

export type MachineRecords = {
  /** Errors: already_exists when the name is taken. */
  readonly insert: (tx: Tx, machine: Machine) => Promise<void>;
  /** The same; of several it is not said whose name was taken. */
  readonly insertMany: (tx: Tx, machines: readonly Machine[]) => Promise<void>;
  /** The newest row, locked until the transaction ends; its version has grown. */
  readonly lock: (tx: Tx, uid: string) => Promise<Machine | undefined>;
  /**
   * Writes a row that this transaction has locked. Errors: aborted BUSY when its place in a claim
   * is taken.
   */
  readonly save: (tx: Tx, machine: Machine) => Promise<void>;
  /** The same of rows that are not locked. Uids of those that still had the version before. */
  readonly saveNext: (tx: Tx, machines: readonly Machine[]) => Promise<ReadonlySet<string>>;
  readonly find: (reader: Reader, uid: string) => Promise<Machine | undefined>;
  /** By name among the living, or by uid under that parent. */
  readonly findByPath: (reader: Reader, path: MachinePath) => Promise<Machine | undefined>;
  readonly findMany: (reader: Reader, uids: readonly string[]) => Promise<readonly Machine[]>;
  readonly list: (reader: Reader, filter: MachineFilter, page: Page) => Promise<readonly Machine[]>;
  readonly usingImage: (reader: Reader, imageUid: string) => Promise<Machine | undefined>;
  readonly ofClaim: (reader: Reader, claimUid: string) => Promise<readonly Machine[]>;
  readonly placesUsed: (reader: Reader, claimUid: string) => Promise<readonly UsedPlace[]>;
  /** Living machines in these states for longer than since `beforeMs`, at most `limit`. */
  readonly inStates: (
    reader: Reader,
    asked: {
      readonly partition: string;
      readonly states: readonly MachineState[];
      readonly beforeMs: number;
      readonly limit: number;
    },
  ) => Promise<readonly Machine[]>;
  /** Removes rows of gone machines; answers their uids. */
  readonly removeGone: (tx: Tx, beforeMs: number, limit: number) => Promise<readonly string[]>;
};

export type AssignmentRow = Held & {
  readonly partition: string;
  readonly providerUid: string;
  /** Lower-case resource name of the agent. */
  readonly agentKey: string;
  readonly absent: boolean;
  /** A whole server: it lies with whichever agent works at its controller, not with one host. */
  readonly isServer: boolean;
  /** The agent said that it is gone; kept until the machine's row goes. */
  readonly gone: boolean;
  /** Digests that the agent may fetch. */
  readonly digests: readonly string[];
  /** Lower-case names of the secrets that the agent may read. */
  readonly secrets: readonly string[];
  /** runmachine.agent.v1.Assignment in binary form. */
  readonly bytes: Uint8Array;
};

export type AssignmentRecords = {
  readonly put: (tx: Tx, ...rows: readonly AssignmentRow[]) => Promise<void>;
  readonly find: (reader: Reader, uid: string) => Promise<AssignmentRow | undefined>;
  readonly findMany: (reader: Reader, uids: readonly string[]) => Promise<readonly AssignmentRow[]>;
  readonly ofAgent: (reader: Reader, agentKey: string) => Promise<readonly AssignmentRow[]>;
  /** False: there was none that was to be absent. */
  readonly markGone: (tx: Tx, uid: string) => Promise<boolean>;
  /** Whether that agent has an assignment that names the digest. */
  readonly namesDigest: (reader: Reader, agentKey: string, sha256: string) => Promise<boolean>;
  /** Whether an assignment of that agent names the secret (lower-case) and is not gone. */
  readonly namesSecret: (reader: Reader, agentKey: string, secret: string) => Promise<boolean>;
  readonly remove: (tx: Tx, uids: readonly string[]) => Promise<void>;
  /** Which host is addressed to which agent, over all guests that are not gone. */
  readonly addresses: (
    reader: Reader,
  ) => Promise<readonly { readonly providerUid: string; readonly agentKey: string }[]>;
  /** What is on the provider and not gone. */
  readonly ofProvider: (reader: Reader, providerUid: string) => Promise<readonly AssignmentRow[]>;
  /** Addresses the servers there to that agent. */
  readonly moveServers: (
    tx: Tx,
    asked: { readonly providerUid: string; readonly agentKey: string },
  ) => Promise<void>;
  /**
   * Addresses the guests on the provider to that agent unless they are at one of the pool; answers
   * how many moved.
   */
  readonly readdress: (
    tx: Tx,
    asked: { providerUid: string; pool: readonly string[]; agentKey: string },
  ) => Promise<number>;
};

/** drained: it has a session and takes no new work. */
export type AgentState = 'up' | 'drained' | 'down' | 'revoked';

export type HostFacts = {
  readonly hostname: string;
  readonly architecture: string;
  readonly cpuThreads: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly accelerator: string;
  readonly acceleratorReason: string;
};

export type Agent = {
  readonly uid: string;
  readonly version: number;
  readonly partition: string;
  readonly agentId: string;
  readonly epoch: number;
  /** Which replica has its session; empty = none. */
  readonly replica: string;
  readonly address: string;
  readonly state: AgentState;
  /** It is drained whenever it connects. Absent in older rows: it is not. */
  readonly isDrained?: boolean;
  readonly sinceMs: number;
  readonly createMs: number;
  readonly updateMs: number;
  readonly journalId: string;
  readonly lastSequence: number;
  readonly roles: readonly string[];
  readonly programVersion: string;
  readonly host: HostFacts | null;
  readonly orphans: readonly string[];
  readonly greetings: readonly Greeting[];
  readonly quarantineUntilMs: number;
};

export type AgentRecords = {
  readonly insert: (tx: Tx, agent: Agent) => Promise<void>;
  readonly remove: (tx: Tx, uid: string) => Promise<void>;
  readonly lock: (tx: Tx, uid: string) => Promise<Agent | undefined>;
  readonly save: (tx: Tx, agent: Agent) => Promise<void>;
  readonly find: (reader: Reader, uid: string) => Promise<Agent | undefined>;
  readonly findByKey: (reader: Reader, agentKey: string) => Promise<Agent | undefined>;
  readonly list: (
    reader: Reader,
    filter: { readonly partition: string; readonly access: Access },
    page: Page,
  ) => Promise<readonly Agent[]>;
  /**
   * Locks the row if the session is still the newest, and stores how far its reports came. False: a
   * later session has begun, nothing may be written.
   */
  readonly fence: (
    tx: Tx,
    asked: { uid: string; epoch: number; lastSequence: number },
  ) => Promise<boolean>;
  readonly findMany: (reader: Reader, uids: readonly string[]) => Promise<readonly Agent[]>;
  readonly findManyByKey: (
    reader: Reader,
    agentKeys: readonly string[],
  ) => Promise<readonly Agent[]>;
  /** Uids of agents that are up at other replicas than these. */
  readonly upElsewhere: (
    reader: Reader,
    replicas: readonly string[],
    limit: number,
  ) => Promise<readonly Pick<Agent, 'uid' | 'epoch'>[]>;
};

export type EventFilter = {
  readonly parent: Parent;
  readonly access: Access;
  readonly targetUid: string;
  readonly newestFirst: boolean;
};

export type EventRecords = {
  readonly insert: (tx: Tx, events: readonly EventRecord[]) => Promise<void>;
  readonly list: (
    reader: Reader,
    filter: EventFilter,
    page: Page,
  ) => Promise<readonly { readonly id: number; readonly event: EventRecord }[]>;
  readonly findMany: (
    reader: Reader,
    uids: readonly string[],
    filter: Omit<EventFilter, 'newestFirst'>,
  ) => Promise<readonly EventRecord[]>;
  /** Of these uids those that are still there, in the order in which they were recorded. */
  readonly inOrder: (reader: Reader, uids: readonly string[]) => Promise<readonly EventRecord[]>;
  /** Recorded at that time or later, behind that number, in the order of the numbers. */
  readonly since: (
    reader: Reader,
    asked: { readonly recordMs: number; readonly afterId: number; readonly limit: number },
  ) => Promise<readonly { readonly id: number; readonly event: EventRecord }[]>;
  readonly removeOld: (tx: Tx, beforeMs: number, limit: number) => Promise<number>;
};

export type ImageRecords = {
  readonly insert: (tx: Tx, image: Image) => Promise<void>;
  readonly lock: (tx: Tx, uid: string) => Promise<Image | undefined>;
  /**
   * Locks the row without changing its version: until the transaction ends it cannot be deleted.
   */
  readonly hold: (tx: Tx, uid: string) => Promise<Image | undefined>;
  readonly save: (tx: Tx, image: Image) => Promise<void>;
  readonly remove: (tx: Tx, image: Image) => Promise<void>;
  /** By id or uid. */
  readonly find: (reader: Reader, idOrUid: string) => Promise<Image | undefined>;
  readonly list: (reader: Reader, access: Access, page: Page) => Promise<readonly Image[]>;
  /** Takes an image that is being fetched, unless another replica fetches it. */
  readonly leaseImport: (
    tx: Tx,
    asked: { owner: string; untilMs: number; nowMs: number },
  ) => Promise<Image | undefined>;
  /** False: the lease was lost. */
  readonly extendImport: (
    tx: Tx,
    asked: { uid: string; owner: string; untilMs: number },
  ) => Promise<boolean>;
};

export type Artifact = {
  readonly uid: string;
  readonly sha256: string;
  readonly sizeBytes: number;
};

export type ArtifactRecords = {
  /** A file that is coming in. */
  readonly begin: (tx: Tx, artifact: { uid: string; sha256: string }) => Promise<void>;
  /** `position` is a multiple of ARTIFACT_PART_BYTES; only the last part may be shorter. */
  readonly addPart: (
    tx: Tx,
    part: { uid: string; position: number; data: Uint8Array },
  ) => Promise<void>;
  /**
   * From now on it can be read; if another with the same digest was complete before, this one is
   * dropped.
   */
  readonly complete: (tx: Tx, artifact: Artifact) => Promise<void>;
  readonly drop: (tx: Tx, uid: string) => Promise<void>;
  readonly find: (reader: Reader, sha256: string) => Promise<Artifact | undefined>;
  readonly readPart: (
    reader: Reader,
    artifactUid: string,
    position: number,
  ) => Promise<Uint8Array | undefined>;
  /** Uids of files that no image names and of uploads that ended half way. */
  readonly unused: (reader: Reader, beforeMs: number, limit: number) => Promise<readonly string[]>;
};

export const ARTIFACT_PART_BYTES = 1024 ** 2;

export type SweeperRecords = {
  /** Takes or extends the lease of a partition. */
  readonly hold: (
    tx: Tx,
    asked: { partition: string; owner: string; untilMs: number; nowMs: number },
  ) => Promise<boolean>;
};

export type Records = {
  readonly machines: MachineRecords;
  readonly operations: OperationRecords;
  readonly assignments: AssignmentRecords;
  readonly agents: AgentRecords;
  readonly events: EventRecords;
  readonly claimNews: ClaimNewsRecords;
  readonly sinks: SinkRecords;
  readonly images: ImageRecords;
  readonly artifacts: ArtifactRecords;
  readonly providers: ProviderStateRecords;
  readonly cleanings: CleaningRecords;
  readonly conflicts: ConflictRecords;
  readonly hardware: HardwareRecords;
  readonly tasks: TaskRecords;
  readonly consoles: ConsoleRecords;
  readonly consoleTokens: ConsoleTokenRecords;
  readonly sweepers: SweeperRecords;
};

export type MachineChange = {
  readonly machine: Machine;
  readonly events: readonly EventDraft[];
  /** What its agent is told; null = nothing. */
  readonly assignment: AssignmentChange | null;
  /** For a first assignment: lower-case name of the agent; empty = none is known yet. */
  readonly agentKey?: string;
  /** Who caused it; empty = the system. */
  readonly principal: string;
  /** Resource name of the operation; empty = none. */
  readonly operation: string;
};

export type MachineWriter = {
  /** The machine's row must be locked by this transaction. */
  readonly write: (tx: Tx, change: MachineChange) => Promise<void>;
  /**
   * The same where no row is locked, of those whose row still has the version before; the others
   * are left alone. `between` writes what comes after the machines in the order of locks.
   */
  readonly writeNext: (
    tx: Tx,
    changes: readonly MachineChange[],
    between: (written: readonly MachineChange[]) => Promise<void>,
  ) => Promise<void>;
  readonly tell: (
    tx: Tx,
    ...changes: readonly Omit<MachineChange, 'assignment' | 'agentKey'>[]
  ) => Promise<void>;
  /** Tells the agent anew if an assignment exists that is not absent. */
  readonly renewAssignment: (tx: Tx, machine: Machine) => Promise<void>;
};
