/** The changes of one watch, as the thread sends them. */
import { coordinationUnavailable } from '../failures.ts';
import type { Revision, WatchBatch } from '../port.ts';
import { unpackEvents } from './packed.ts';
import type { Link } from './thread-link.ts';
import { BATCHES_MAX, type FromThread, fromSent } from './thread-messages.ts';

/** Disposing of it ends the watch. */
export type Batches = Disposable & {
  readonly shift: () => WatchBatch | undefined;
  /** Resolves when there may be another, or when it is woken. Errors: that of the watch. */
  readonly more: () => Promise<void>;
  readonly wake: () => void;
};

type Sent = Extract<FromThread, { readonly kind: 'batch' }>;

export const openBatches = (link: Link, prefix: string, from: Revision): Batches => {
  const pending: Sent[] = [];
  let taken = 0;
  let ended: Error | undefined;
  let wake = (): void => undefined;
  const lose = (error: Error): void => {
    ended ??= error;
    wake();
  };
  const id = link.add({
    take: (message) => {
      if (message.kind === 'batch') {
        pending.push(message);
        wake();
      } else if (message.kind === 'end') {
        const { error } = message;
        lose(error === undefined ? coordinationUnavailable('The watch ended') : fromSent(error));
      }
    },
    lose,
  });
  link.post({ kind: 'watch', id, prefix, from });
  return {
    shift: () => {
      const next = pending.shift();
      if (next === undefined) return undefined;
      taken += 1;
      if (taken >= BATCHES_MAX / 2) {
        link.post({ kind: 'taken', id, batches: taken });
        taken = 0;
      }
      return { revision: next.revision, events: unpackEvents(next.events) };
    },
    more: async () => {
      if (pending.length > 0) return;
      if (ended !== undefined) throw ended;
      const woken = Promise.withResolvers<void>();
      wake = woken.resolve;
      await woken.promise;
    },
    wake: () => wake(),
    [Symbol.dispose]: () => {
      link.remove(id);
      link.post({ kind: 'over', id });
    },
  };
};
