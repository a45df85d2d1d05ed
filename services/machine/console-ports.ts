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

/** What lets somebody without an account at the console of one machine. */
export type ConsoleToken = {
  /** SHA-256 of it in hexadecimal; the token itself is kept nowhere. */
  readonly hash: string;
  readonly machineUid: string;
  readonly readOnly: boolean;
  /** Who made it. */
  readonly principal: string;
  readonly untilMs: number;
};

/** Those who made console tokens. */
export type ConsoleIssuers = {
  /** As it was at most some seconds ago. Errors: unavailable while nobody can say. */
  readonly mayOpen: (
    principal: string,
    place: { readonly partition: string; readonly project: string },
  ) => Promise<boolean>;
};

export type ConsoleTokenRecords = {
  readonly insert: (tx: Tx, token: ConsoleToken) => Promise<void>;
  /** Also one that has expired. */
  readonly find: (reader: Reader, hash: string) => Promise<ConsoleToken | undefined>;
  readonly removeExpired: (tx: Tx, beforeMs: number) => Promise<void>;
};

export type ConsoleRecords = {
  readonly insert: (tx: Tx, session: ConsoleSession) => Promise<void>;
  readonly remove: (tx: Tx, uid: string) => Promise<void>;
  readonly ofTarget: (reader: Reader, targetUid: string) => Promise<readonly ConsoleSession[]>;
  /** Uids of those at other replicas than these. */
  readonly lost: (reader: Reader, replicas: readonly string[]) => Promise<readonly string[]>;
};
