/** Records of the life-cycle of providers; see ports.ts. */
import type { Reader, Tx } from '../store/sql/transaction.ts';
import type { IdentifierConflict } from './domain/identifier-conflict.ts';
import type { Problem } from './domain/machine.ts';
import type { DecidedLife } from './domain/provider-lifecycle.ts';
import type { Cleaning, ProviderState } from './domain/provider-state.ts';

export type ProviderStateRecords = {
  readonly find: (reader: Reader, providerUid: string) => Promise<ProviderState | undefined>;
  readonly findMany: (
    reader: Reader,
    providerUids: readonly string[],
  ) => Promise<readonly ProviderState[]>;
  /**
   * Takes the turn of telling the scheduler about the provider, making its row where there is
   * none. Answers the row as it was before; undefined: it is another's turn.
   */
  readonly hold: (
    tx: Tx,
    asked: {
      readonly providerUid: string;
      readonly partition: string;
      readonly owner: string;
      readonly untilMs: number;
      readonly nowMs: number;
    },
  ) => Promise<ProviderState | undefined>;
  /**
   * Writes the row and ends the turn of `owner`. False: it had ended before. Unless `isCertain`,
   * the row goes on saying that nobody knows what the scheduler holds.
   */
  readonly save: (
    tx: Tx,
    state: ProviderState,
    owner: string,
    isCertain?: boolean,
  ) => Promise<boolean>;
  /** From one state to a failed one, whoever has the turn. False: it was in another state. */
  readonly fail: (
    tx: Tx,
    asked: {
      readonly providerUid: string;
      readonly from: DecidedLife;
      readonly to: DecidedLife;
      readonly problem: Problem;
    },
  ) => Promise<boolean>;
  /**
   * Gives the turn up. Unless `isCertain`, the row goes on saying that nobody knows what the
   * scheduler holds.
   */
  readonly giveUp: (
    tx: Tx,
    asked: { readonly providerUid: string; readonly owner: string; readonly isCertain: boolean },
  ) => Promise<void>;
  /** Rows of a partition behind that number, in their order. */
  readonly scan: (
    reader: Reader,
    asked: { readonly partition: string; readonly afterId: number; readonly limit: number },
  ) => Promise<readonly { readonly id: number; readonly state: ProviderState }[]>;
  readonly remove: (tx: Tx, providerUid: string) => Promise<void>;
};

export type CleaningRecords = {
  /** False: it was known. */
  readonly insert: (tx: Tx, cleaning: Cleaning) => Promise<boolean>;
  /** Those that wait. */
  readonly ofProviders: (
    reader: Reader,
    providerUids: readonly string[],
  ) => Promise<readonly Cleaning[]>;
  /** Those that wait, and those that were given back not long ago. */
  readonly ofClaim: (reader: Reader, claimUid: string) => Promise<readonly Cleaning[]>;
  readonly find: (
    reader: Reader,
    key: Pick<Cleaning, 'claimUid' | 'providerUid'>,
  ) => Promise<Cleaning | undefined>;
  /** False: it was forgotten. */
  readonly save: (tx: Tx, cleaning: Cleaning) => Promise<boolean>;
  /** Forgets those that were given back before; answers how many. */
  readonly removeDone: (tx: Tx, beforeMs: number, limit: number) => Promise<number>;
};

/** What of its identifiers others have, as it was told last. */
export type ConflictRecords = {
  /** Writes what it is now; answers what was not known before and what is over. */
  readonly replace: (
    tx: Tx,
    providerUid: string,
    conflicts: readonly IdentifierConflict[],
  ) => Promise<{
    readonly began: readonly IdentifierConflict[];
    readonly ended: readonly IdentifierConflict[];
  }>;
  readonly remove: (tx: Tx, providerUid: string) => Promise<void>;
};
