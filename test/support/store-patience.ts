/** A file's tests run at once, on machines that do other things: only who tries a limit has one. */
export const PATIENCE = {
  transactionMs: 120_000,
  statementMs: 120_000,
  lockMs: 120_000,
  connectionWaitMs: 120_000,
  openMs: 120_000,
};
