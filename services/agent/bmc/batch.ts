import { nextTurn } from '../../runtime/clock.ts';

/**
 * Things that come at about the same time, handled together: a write to disk costs the same for one
 * of them and for a thousand.
 */
export type Batch<T> = {
  /** Resolves when it was handled; rejects with what went wrong for all of them. */
  readonly add: (item: T) => Promise<void>;
};

export const createBatch = <T>(handle: (items: readonly T[]) => void): Batch<T> => {
  let items: T[] = [];
  let handling: Promise<void> | undefined;
  const soon = async (): Promise<void> => {
    await nextTurn();
    const all = items;
    items = [];
    handling = undefined;
    handle(all);
  };
  return {
    add: (item) => {
      items.push(item);
      handling ??= soon();
      return handling;
    },
  };
};
