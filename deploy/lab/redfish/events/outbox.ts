import type { Clock } from '../../../../services/runtime/clock.ts';
import { post } from './post.ts';
import type { Subscription } from './subscription.ts';

export type RetrySettings = {
  /** How often an event is tried again before its subscription ends or is suspended. */
  readonly attempts: number;
  readonly intervalSeconds: number;
};

export type OutboxDeps = {
  readonly clock: Clock;
  readonly subscription: () => Subscription;
  readonly retries: () => RetrySettings;
  /** An event could not be delivered, however often it was tried. */
  readonly gaveUp: () => void;
};

/** Brings events to one subscriber, one after the other, as they came. */
export type Outbox = {
  readonly put: (text: string) => void;
  /** Forgets what is to be sent. */
  readonly close: () => void;
};

/** Of a subscriber that does not keep up the oldest are forgotten. */
export const OUTBOX_MAX = 64;
/** For one attempt. */
const POST_LIMIT_MS = 10_000;

export const createOutbox = (deps: OutboxDeps): Outbox => {
  const closed = new AbortController();
  const waiting: string[] = [];
  let isSending = false;

  const sendAll = async (): Promise<void> => {
    for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
      const isDone = await delivered(deps, text, closed.signal);
      if (closed.signal.aborted) return;
      if (isDone) continue;
      waiting.length = 0;
      deps.gaveUp();
    }
  };

  return {
    put: (text) => {
      if (closed.signal.aborted) return;
      waiting.push(text);
      if (waiting.length > OUTBOX_MAX) waiting.shift();
      if (isSending) return;
      isSending = true;
      sendAll().finally(() => {
        isSending = false;
      });
    },
    close: () => {
      waiting.length = 0;
      closed.abort();
    },
  };
};

/** False after the last attempt that is due; also where it was closed meanwhile. */
const delivered = async (deps: OutboxDeps, text: string, signal: AbortSignal): Promise<boolean> => {
  for (let attempt = 0; ; attempt += 1) {
    if (await isTaken(deps.subscription(), text, signal)) return true;
    const { attempts, intervalSeconds } = deps.retries();
    const isForever = deps.subscription().retryPolicy === 'RetryForever';
    if (signal.aborted || (attempt >= attempts && !isForever)) return false;
    await deps.clock.sleep(intervalSeconds * 1000, signal).catch(() => undefined);
    if (signal.aborted) return false;
  }
};

const isTaken = async (
  { destination, headers, verifies }: Subscription,
  body: string,
  closed: AbortSignal,
): Promise<boolean> => {
  const signal = AbortSignal.any([closed, AbortSignal.timeout(POST_LIMIT_MS)]);
  try {
    const status = await post({ url: new URL(destination), body, headers, verifies, signal });
    return status >= 200 && status < 300;
  } catch {
    // Refused, too slow, no name, no certificate: whatever it was, it was not taken.
    return false;
  }
};
