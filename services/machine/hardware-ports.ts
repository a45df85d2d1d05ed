/** Records of what is done at management controllers; see ports.ts. */
import type { Reader, Tx } from '../store/sql/transaction.ts';
import type { HardwareTask, TaskFailure, TaskKind } from './domain/hardware-task.ts';
import type { Miss } from './domain/reach.ts';

export type OpenOrder = {
  readonly commandUid: string;
  readonly agentKey: string;
  /** At whose controller; empty = at none that is recorded. */
  readonly providerUid: string;
  /** Lower-case name of the secret that it may read while it works; empty = none. */
  readonly secretKey: string;
  readonly untilMs: number;
};

/** Which agent of its pool works at the controller of a provider. */
export type HardwareLease = {
  readonly providerUid: string;
  readonly partition: string;
  readonly agentKey: string;
  /** Grows when it moves. */
  readonly epoch: number;
  /** Agents that could not reach the controller. */
  readonly missed: readonly Miss[];
};

export type HardwareRecords = {
  /**
   * At least one. Answers which were not opened, because another agent works at that controller by
   * now. Until the transaction ends none of these controllers moves.
   */
  readonly openOrders: (tx: Tx, orders: readonly OpenOrder[]) => Promise<readonly string[]>;
  /** At least one. */
  readonly closeOrders: (tx: Tx, commandUids: readonly string[]) => Promise<void>;
  readonly removeOldOrders: (tx: Tx, beforeMs: number) => Promise<number>;
  /** Whether an order to that agent which is open at that time names the secret. */
  readonly orderNames: (
    reader: Reader,
    asked: { readonly agentKey: string; readonly secretKey: string; readonly nowMs: number },
  ) => Promise<boolean>;
  /** Whether an order at that provider's controller, `beside` that one, is open at that time. */
  readonly isOrdered: (
    reader: Reader,
    asked: { readonly providerUid: string; readonly nowMs: number; readonly beside?: string },
  ) => Promise<boolean>;
  readonly findLease: (reader: Reader, providerUid: string) => Promise<HardwareLease | undefined>;
  readonly findLeases: (
    reader: Reader,
    providerUids: readonly string[],
  ) => Promise<readonly HardwareLease[]>;
  /**
   * Gives the work to that agent if the row still has `epoch` (0 = there is none yet). Undefined:
   * somebody else gave it meanwhile.
   */
  readonly giveLease: (
    tx: Tx,
    lease: Omit<HardwareLease, 'missed'>,
  ) => Promise<HardwareLease | undefined>;
  /** Writes who could not reach it if the row still has `epoch`; false: it moved meanwhile. */
  readonly saveMissed: (
    tx: Tx,
    lease: Pick<HardwareLease, 'providerUid' | 'epoch' | 'missed'>,
  ) => Promise<boolean>;
  /** Locks the row if it still has `epoch`; false: somebody else gave it meanwhile. */
  readonly holdLease: (
    tx: Tx,
    lease: Pick<HardwareLease, 'providerUid' | 'epoch'>,
  ) => Promise<boolean>;
  /** Of a partition behind that number, in their order. */
  readonly leases: (
    reader: Reader,
    asked: { readonly partition: string; readonly afterId: number; readonly limit: number },
  ) => Promise<readonly { readonly id: number; readonly lease: HardwareLease }[]>;
  /** How many each agent has that has any. */
  readonly leaseCounts: (
    reader: Reader,
    partition: string,
  ) => Promise<readonly { readonly agentKey: string; readonly count: number }[]>;
  /** Leases whose agent has no session, behind that number. */
  readonly stranded: (
    reader: Reader,
    asked: { readonly partition: string; readonly limit: number },
  ) => Promise<readonly HardwareLease[]>;
};

export type TaskLease = { readonly owner: string; readonly epoch: number };

export type TaskRecords = {
  /** False: one of that kind is open for the provider and subject, or has that uid. */
  readonly insert: (tx: Tx, task: HardwareTask) => Promise<boolean>;
  readonly find: (reader: Reader, uid: string) => Promise<HardwareTask | undefined>;
  /** Those of the providers that have not ended. */
  readonly open: (
    reader: Reader,
    providerUids: readonly string[],
  ) => Promise<readonly HardwareTask[]>;
  /** Uids of what is due and not leased, longest due first. */
  readonly due: (reader: Reader, nowMs: number, limit: number) => Promise<readonly string[]>;
  /** Takes the task unless another holds it; one that has ended is never given. */
  readonly lease: (
    tx: Tx,
    asked: {
      readonly uid: string;
      readonly owner: string;
      readonly untilMs: number;
      readonly nowMs: number;
    },
  ) => Promise<{ readonly task: HardwareTask; readonly epoch: number } | undefined>;
  /** Writes under the lease and extends it; 0 = gives it back. False: the lease was lost. */
  readonly save: (
    tx: Tx,
    task: HardwareTask,
    asked: { readonly lease: TaskLease; readonly untilMs: number },
  ) => Promise<boolean>;
  /** False: the lease was lost. */
  readonly extend: (
    tx: Tx,
    asked: { readonly uid: string; readonly lease: TaskLease; readonly untilMs: number },
  ) => Promise<boolean>;
  /** Ends open tasks of a provider, whoever works on them; answers what they were. */
  readonly cancel: (
    tx: Tx,
    asked: {
      readonly providerUid: string;
      readonly kinds: readonly TaskKind[];
      readonly failure: TaskFailure;
      readonly nowMs: number;
      /** Whether a worker that died may have left something at work; nobody lets such a task go. */
      readonly mayBeOrphan: (task: HardwareTask) => boolean;
    },
  ) => Promise<readonly HardwareTask[]>;
  /** The worker of a task whose lease he lost has stopped. */
  readonly letGo: (
    tx: Tx,
    asked: { readonly uid: string; readonly owner: string },
  ) => Promise<void>;
  /** Tasks that ended since then and whose worker has not said yet that he stopped. */
  readonly notLetGo: (
    reader: Reader,
    asked: { readonly providerUid: string; readonly sinceMs: number },
  ) => Promise<readonly HardwareTask[]>;
  readonly removeEnded: (tx: Tx, beforeMs: number, limit: number) => Promise<number>;
};
