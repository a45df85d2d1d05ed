/**
 * When which claim has to be looked at. One time stands for a claim, the soonest it was given: who
 * looks then gives the next.
 */
import { createDueQueue } from './due-queue.ts';

export type Agenda = {
  /** Looks at the claim at that time, or sooner where that was said before. */
  readonly add: (uid: string, atMs: number) => void;
  /** Nobody looks at it any more. */
  readonly remove: (uid: string) => void;
  /** Takes everything that is due. */
  readonly take: (nowMs: number) => readonly string[];
  /** When the next look is due; undefined = none is. */
  readonly nextMs: () => number | undefined;
};

/** Entries that another time has replaced may be as many as the others, and so many more. */
const STALE_MIN = 1_000;

export const createAgenda = (): Agenda => {
  let queue = createDueQueue();
  const times = new Map<string, number>();
  const tidy = (): void => {
    if (queue.size() < 2 * times.size + STALE_MIN) return;
    queue = createDueQueue();
    for (const [uid, atMs] of times) queue.add(uid, atMs);
  };
  return {
    add: (uid, atMs) => {
      if ((times.get(uid) ?? Infinity) <= atMs) return;
      times.set(uid, atMs);
      queue.add(uid, atMs);
      tidy();
    },
    remove: (uid) => {
      if (times.delete(uid)) tidy();
    },
    take: (nowMs) =>
      queue.take(nowMs).flatMap(({ uid, atMs }) => {
        // Another time took the place of this one.
        if (times.get(uid) !== atMs) return [];
        times.delete(uid);
        return [uid];
      }),
    nextMs: () => queue.nextMs(),
  };
};
