/** An answer of a server to which the command that asked for it knows what to type next. */
export class AdvisedError extends Error {
  override readonly name = 'AdvisedError';
  readonly next: readonly string[];

  constructor(cause: Error, next: readonly string[]) {
    super(cause.message, { cause });
    this.next = next;
  }
}
