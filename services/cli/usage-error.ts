/** The caller typed something wrong; the message says what, the cure says what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly cure: string;

  constructor(message: string, cure = '') {
    super(message);
    this.cure = cure;
  }
}
