/** Records of what is done at management controllers; see ports.ts. */
import type { Reader, Tx } from '../store/sql/transaction.ts';

export type OpenOrder = {
  readonly commandUid: string;
  readonly agentKey: string;
  /** Lower-case name of the secret that it may read while it works. */
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
};

export type HardwareRecords = {
  readonly openOrder: (tx: Tx, order: OpenOrder) => Promise<void>;
  readonly closeOrder: (tx: Tx, commandUid: string) => Promise<void>;
  readonly removeOldOrders: (tx: Tx, beforeMs: number) => Promise<number>;
  /** Whether an order to that agent which is open at that time names the secret. */
  readonly orderNames: (
    reader: Reader,
    asked: { readonly agentKey: string; readonly secretKey: string; readonly nowMs: number },
  ) => Promise<boolean>;
  readonly findLease: (reader: Reader, providerUid: string) => Promise<HardwareLease | undefined>;
  /**
   * Gives the work to that agent if the row still has `epoch` (0 = there is none yet). Undefined:
   * somebody else gave it meanwhile.
   */
  readonly giveLease: (tx: Tx, lease: HardwareLease) => Promise<HardwareLease | undefined>;
  /** Leases whose agent has no session, behind that number. */
  readonly stranded: (
    reader: Reader,
    asked: { readonly partition: string; readonly limit: number },
  ) => Promise<readonly HardwareLease[]>;
};
