import type { Outbox } from '../agent-port.ts';

const ROOM = 64;

export const createOutbox = <T>(messagesMax: number): Outbox<T> => new BoundedOutbox(messagesMax);

/**
 * A class, as there is one for each of ten thousand sessions: methods are shared, closures not. Nor
 * has it #methods, for which V8 adds a context to each instance.
 */
class BoundedOutbox<T> implements Outbox<T> {
  readonly #messagesMax: number;
  #queued: T[] = NONE;
  /** Where the next message lies; those before it are taken. */
  #at = 0;
  #isEnded = false;
  #ring: (() => void) | undefined;
  #waiting: (() => void)[] = NONE;

  constructor(messagesMax: number) {
    this.#messagesMax = messagesMax;
  }

  push(message: T): boolean {
    if (this.#isEnded || this.count() >= this.#messagesMax) return false;
    if (this.#queued === NONE) this.#queued = [];
    this.#queued.push(message);
    this.wake();
    return true;
  }

  room(): Promise<void> {
    if (this.#isEnded || this.count() < ROOM) return Promise.resolve();
    if (this.#waiting === NONE) this.#waiting = [];
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  end(): void {
    this.#isEnded = true;
    this.wake();
    this.release();
  }

  take(): T | undefined {
    const message = this.#queued[this.#at];
    this.#at += 1;
    if (this.#at < this.#queued.length) {
      if (this.#at >= ROOM) {
        this.#queued.splice(0, this.#at);
        this.#at = 0;
      }
      return message;
    }
    // Nothing of what was sent stays in memory while the agent is idle.
    this.#queued = NONE;
    this.#at = 0;
    this.release();
    return message;
  }

  filled(): Promise<boolean> {
    if (this.count() > 0) return Promise.resolve(true);
    if (this.#isEnded) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#ring = () => resolve(this.count() > 0);
    });
  }

  private count(): number {
    return this.#queued.length - this.#at;
  }

  private wake(): void {
    this.#ring?.();
    this.#ring = undefined;
  }

  private release(): void {
    const all = this.#waiting;
    this.#waiting = NONE;
    for (const one of all) one();
  }
}

/** Shared by all that hold nothing; never written to. */
const NONE: never[] = [];
