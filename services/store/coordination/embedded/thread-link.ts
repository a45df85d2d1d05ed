/** The side of the process: asks the thread, and knows who waits for what. */
import type { Transferable } from 'node:worker_threads';
import type { Logger } from '../../../runtime/log.ts';
import { startThread } from '../../../runtime/thread.ts';
import { coordinationUnavailable, outcomeUnknown } from '../failures.ts';
import type { Revision } from '../port.ts';
import {
  type Call,
  type Calls,
  type FromThread,
  fromSent,
  type ToThread,
  type Verb,
} from './thread-messages.ts';
import { type Batches, openBatches } from './watch-batches.ts';

export type Thread = {
  readonly call: <V extends Verb>(asked: Asked<V>, signal: AbortSignal) => Answer<V>;
  readonly watch: (prefix: string, from: Revision) => Batches;
  /** Resolves when the thread is gone; whoever waited for it has been told. */
  readonly ended: Promise<void>;
  /** What was asked before is done first. */
  readonly close: () => Promise<void>;
};

export type Asked<V extends Verb> = {
  readonly verb: V;
  readonly asked: Calls[V]['asked'];
  /** Change hands: of no use to the caller afterwards. */
  readonly owned?: Transferable[];
};
export type Answer<V extends Verb> = Promise<Calls[V]['answer']>;

export type Waiter = {
  readonly take: (message: FromThread) => void;
  /** The thread is gone. */
  readonly lose: (error: Error) => void;
};

/** One thread and those who wait for it. */
export type Link = {
  readonly add: (waiter: Waiter) => number;
  readonly remove: (id: number) => void;
  readonly post: (message: ToThread, owned?: Transferable[]) => void;
};

type Start = {
  readonly file: string;
  readonly program: URL;
  readonly log: Pick<Logger, 'error'>;
};

/** Resolves when the store is open. Errors: what kept it from opening. */
export const openThread = async ({ file, program, log }: Start): Promise<Thread> => {
  const worker = startThread(program, { file });
  const waiters = new Map<number, Waiter>();
  const opened = Promise.withResolvers<void>();
  let lastId = 0;
  let gone: Error | undefined;
  const link: Link = {
    add: (waiter) => {
      lastId += 1;
      waiters.set(lastId, waiter);
      const error = gone;
      if (error !== undefined) queueMicrotask(() => waiter.lose(error));
      return lastId;
    },
    remove: (id) => void waiters.delete(id),
    post: (message, owned = []) => worker.postMessage(message, owned),
  };
  worker.on('message', (message: FromThread) => {
    if (message.kind === 'open') opened.resolve();
    else if (message.kind === 'cannot-open') opened.reject(fromSent(message.error));
    else if (message.kind === 'log') log.error(message.data, message.message);
    else waiters.get(message.id)?.take(message);
  });
  worker.on('error', (err) => log.error({ err, file }, 'the thread of the store has failed'));
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      const error = coordinationUnavailable('The thread of the store has ended');
      gone = error;
      opened.reject(error);
      for (const { lose } of [...waiters.values()]) lose(error);
      resolve();
    });
  });
  try {
    await opened.promise;
  } catch (error) {
    // Until then it may have the file.
    await ended;
    throw error;
  }
  return {
    call: (asked, signal) => call(link, asked, signal),
    watch: (prefix, from) => openBatches(link, prefix, from),
    ended,
    close: async () => {
      link.post({ kind: 'call', id: 0, call: { verb: 'close', asked: {} } });
      await ended;
    },
  };
};

const call = <V extends Verb>(
  link: Link,
  { verb, asked, owned }: Asked<V>,
  signal: AbortSignal,
): Answer<V> => {
  if (signal.aborted)
    return Promise.reject(coordinationUnavailable('Given up before it was started', signal.reason));
  const answer = Promise.withResolvers<Calls[V]['answer']>();
  const end = (): void => {
    link.remove(id);
    signal.removeEventListener('abort', onAbort);
  };
  const lose = (cause: unknown): void => {
    end();
    answer.reject(
      verb === 'transact'
        ? outcomeUnknown(cause)
        : coordinationUnavailable('The store did not answer', cause),
    );
  };
  const onAbort = (): void => {
    link.post({ kind: 'over', id });
    lose(signal.reason);
  };
  signal.addEventListener('abort', onAbort);
  const id = link.add({
    take: (message) => {
      end();
      if (message.kind === 'answer') answer.resolve(message.answer as Calls[V]['answer']);
      else if (message.kind === 'refusal') answer.reject(fromSent(message.error));
    },
    lose,
  });
  link.post({ kind: 'call', id, call: { verb, asked } as Call }, owned);
  return answer.promise;
};
