/** Candidates that come when they are asked for and are kept for whoever asks again. */
import type { Candidate } from './candidate.ts';

export type Stream = {
  /** The candidate at a place in the order; undefined = there are fewer. */
  readonly at: (place: number) => Candidate | undefined;
};

export const createStream = (candidates: Iterable<Candidate>): Stream => {
  const iterator = candidates[Symbol.iterator]();
  const kept: Candidate[] = [];
  let isDone = false;
  return {
    at: (place) => {
      while (!isDone && kept.length <= place) {
        const next = iterator.next();
        if (next.done === true) isDone = true;
        else kept.push(next.value);
      }
      return kept[place];
    },
  };
};
