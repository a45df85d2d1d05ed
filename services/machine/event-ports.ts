/** Records of what events are told of and to whom they were brought; see ports.ts. */
import type { Reader, Tx } from '../store/sql/transaction.ts';
import type { SinkCursor } from './domain/sink.ts';

/** Where each sink has come to, and which replica works for it. */
export type SinkRecords = {
  /** Takes the sink for that long unless another has it; a new one begins at `first`. */
  readonly hold: (
    tx: Tx,
    asked: {
      readonly sink: string;
      readonly owner: string;
      readonly untilMs: number;
      readonly nowMs: number;
      readonly first: SinkCursor;
    },
  ) => Promise<SinkCursor | undefined>;
  /** Writes the cursor and extends the lease. False: it was lost and nothing was written. */
  readonly save: (
    tx: Tx,
    asked: {
      readonly sink: string;
      readonly owner: string;
      readonly untilMs: number;
      readonly cursor: SinkCursor;
    },
  ) => Promise<boolean>;
  readonly release: (
    tx: Tx,
    asked: { readonly sink: string; readonly owner: string },
  ) => Promise<void>;
};

/** What was told of which claim, so that it is told once. */
export type ClaimNewsRecords = {
  readonly told: (reader: Reader, claimUid: string) => Promise<ReadonlySet<string>>;
  /** False: it was told. */
  readonly insert: (
    tx: Tx,
    told: { readonly claimUid: string; readonly occurrence: string; readonly recordMs: number },
  ) => Promise<boolean>;
  /** Forgets claims whose last news is older. */
  readonly removeEnded: (tx: Tx, beforeMs: number, limit: number) => Promise<number>;
};
