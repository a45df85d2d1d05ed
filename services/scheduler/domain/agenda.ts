/**
 * When which claim has to be looked at. One time stands for a claim, the soonest it was given: who
 * looks then gives the next.
 */
import { createDueQueue } from './due-queue.ts';

export type Agenda = {
  /** Looks at the claim at that time, or sooner where that was said before. */
  readonly add: (uid: string, atMs: number) => void;
  /** Takes everything that is due. */
  readonly take: (nowMs: number) => readonly string[];
  /** When the next look is due; undefined = none is. */
  readonly nextMs: () => number | undefined;
};

export const createAgenda = (): Agenda => {
  const queue = createDueQueue();
  const times = new Map<string, number>();
  return {
    add: (uid, atMs) => {
      if ((times.get(uid) ?? Infinity) <= atMs) return;
      times.set(uid, atMs);
      queue.add(uid, atMs);
    },
    take: (nowMs) =>
      queue.take(nowMs).flatMap(({ uid, atMs }) => {
        // Another time took the place of this one.
        if (times.get(uid) !== atMs) return [];
        times.delete(uid);
        return [uid];
      }),
    nextMs: queue.nextMs,
  };
};
