import { EXIT } from './exit.ts';

/** What was waited for is not over: the caller gave up, or had not more time. It goes on. */
export class StoppedError extends Error {
  override readonly name = 'StoppedError';
  readonly exitCode: number;
  /** How to wait for it again; empty: there is nothing to say. */
  readonly cure: string;

  constructor(exit: 'interrupted' | 'late', message: string, cure = '') {
    super(message);
    this.exitCode = exit === 'late' ? EXIT.unavailable : EXIT.interrupted;
    this.cure = cure;
  }
}
