export type Advice = {
  /** What to type next. Empty: what follows from the error alone. */
  readonly next: readonly string[];
  /** Requests that would have been granted, nearest first, beside those that the error tells. */
  readonly suggestions: readonly string[];
};

/** An answer of a server of which the command that asked for it knows more than it says. */
export class AdvisedError extends Error {
  override readonly name = 'AdvisedError';
  readonly advice: Advice;

  constructor(cause: Error, advice: Advice) {
    super(cause.message, { cause });
    this.advice = advice;
  }
}
