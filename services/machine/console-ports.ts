/** Records of open consoles; see ports.ts. */
import type { Reader, Tx } from '../store/sql/transaction.ts';

export type ConsoleSession = {
  readonly uid: string;
  readonly targetUid: string;
  /** Replica that bridges it; when that one is gone, so is the console. */
  readonly replica: string;
  readonly principal: string;
  readonly sinceMs: number;
};

export type ConsoleRecords = {
  readonly insert: (tx: Tx, session: ConsoleSession) => Promise<void>;
  readonly remove: (tx: Tx, uid: string) => Promise<void>;
  readonly ofTarget: (reader: Reader, targetUid: string) => Promise<readonly ConsoleSession[]>;
  /** Uids of those at other replicas than these. */
  readonly lost: (reader: Reader, replicas: readonly string[]) => Promise<readonly string[]>;
};
