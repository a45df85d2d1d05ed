/** The journal: operations, and who works on them. */
import type { Access } from '../runtime/access.ts';
import type { Page } from '../store/sql/page.ts';
import type { Reader, Tx } from '../store/sql/transaction.ts';
import type { Machine } from './domain/machine.ts';
import type { Operation } from './domain/operation.ts';
import type { AgentView } from './domain/view.ts';

/** How an operation's row is taken and let go; every write compares its epoch and raises it. */
export type Grip = {
  readonly owner: string;
  /** As it was read. */
  readonly epoch: number;
  readonly nowMs: number;
  /** Kept until then; 0 = let go. */
  readonly untilMs: number;
  /** When it is due though nothing happens. */
  readonly wakeMs: number;
};

export type SeenAgent = Pick<AgentView, 'state' | 'sinceMs'> & {
  readonly host: { readonly accelerator: string } | null;
};

/** An operation with what a decision about it needs. */
export type SeenOperation = {
  readonly operation: Operation;
  readonly owner: string | null;
  readonly epoch: number;
  readonly leaseUntilMs: number;
  readonly wakeMs: number;
  readonly machine: Machine;
  readonly assignment:
    | { readonly absent: boolean; readonly gone: boolean; readonly agentKey: string }
    | undefined;
  /** To whom the assignment is addressed. */
  readonly agent: SeenAgent | undefined;
};

export type OperationFilter = {
  readonly partition: string;
  readonly access: Access;
  readonly targetUid: string;
  readonly runningOnly: boolean;
};

export type OperationRecords = {
  readonly insert: (tx: Tx, operation: Operation) => Promise<void>;
  /** Each is its owner's from the start. */
  readonly insertMany: (
    tx: Tx,
    taken: readonly {
      readonly operation: Operation;
      readonly grip: Pick<Grip, 'owner' | 'untilMs'>;
    }[],
  ) => Promise<void>;
  readonly find: (reader: Reader, uid: string) => Promise<Operation | undefined>;
  readonly list: (
    reader: Reader,
    filter: OperationFilter,
    page: Page,
  ) => Promise<readonly { readonly id: number; readonly operation: Operation }[]>;
  /** By uid; without those that are not there, or whose machine's row is gone. */
  readonly look: (
    reader: Reader,
    uids: readonly string[],
  ) => Promise<ReadonlyMap<string, SeenOperation>>;
  /**
   * Writes each and takes or lets go its row, where nobody wrote that since it was read and nobody
   * else holds it. Uids of those that were written.
   */
  readonly write: (
    tx: Tx,
    gripped: readonly { readonly operation: Operation; readonly grip: Grip }[],
  ) => Promise<ReadonlySet<string>>;
  /** Takes the row or lets it go and leaves the operation as it is. False: it was not to be had. */
  readonly hold: (tx: Tx, uid: string, grip: Grip) => Promise<boolean>;
  /** Writes whoever holds it, and ends that lease: for pre-emption and cancellation. */
  readonly saveTaking: (tx: Tx, operation: Operation) => Promise<void>;
  /** Locks and reads a row that is not leased by the caller. */
  readonly lock: (tx: Tx, uid: string) => Promise<Operation | undefined>;
  /** Uids of what is due and not leased, most urgent first. */
  readonly due: (reader: Reader, nowMs: number, limit: number) => Promise<readonly string[]>;
  /** Operations in progress among these, on these machines or on machines of these agents. */
  readonly open: (
    reader: Reader,
    asked: {
      readonly uids: readonly string[];
      readonly machineUids: readonly string[];
      readonly agentUids: readonly string[];
    },
  ) => Promise<
    readonly {
      readonly uid: string;
      readonly owner: string | null;
      readonly leaseUntilMs: number;
    }[]
  >;
  /** Whether some operation on that machine began to claim. */
  readonly claimBegun: (reader: Reader, machineUid: string) => Promise<boolean>;
  readonly lastOf: (reader: Reader, machineUid: string) => Promise<Operation | undefined>;
  readonly removeDone: (tx: Tx, beforeMs: number, limit: number) => Promise<number>;
};
