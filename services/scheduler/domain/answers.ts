/**
 * Which request did what. Claims carry their last requests themselves; those of capacity are known
 * for the term of a leader only, and only so many of them.
 */
import type { RequestNote } from './claim.ts';

export type Answered = {
  readonly note: RequestNote;
  readonly object: { readonly kind: 'claim' | 'capacity' | 'quota'; readonly uid: string };
};

export type Answers = {
  readonly find: (requestId: string) => Answered | undefined;
  /** The requests of a record take the place of those it had before. */
  readonly replace: (
    object: Answered['object'],
    before: readonly RequestNote[] | undefined,
    after: readonly RequestNote[],
  ) => void;
  readonly noteCapacity: (providerUid: string, note: RequestNote | undefined) => void;
};

const CAPACITY_NOTES_MAX = 4_096;

export const createAnswers = (): Answers => {
  const known = new Map<string, Answered>();
  const capacityIds: string[] = [];
  return {
    find: (requestId) => known.get(requestId),
    replace: (object, before, after) => {
      for (const { requestId } of before ?? []) known.delete(requestId);
      for (const note of after) known.set(note.requestId, { note, object });
    },
    noteCapacity: (uid, note) => {
      if (note === undefined) return;
      known.set(note.requestId, { note, object: { kind: 'capacity', uid } });
      capacityIds.push(note.requestId);
      if (capacityIds.length <= 2 * CAPACITY_NOTES_MAX) return;
      // Cut in one go now and then: moving the rest costs as much as what is kept.
      for (const requestId of capacityIds.splice(0, CAPACITY_NOTES_MAX)) known.delete(requestId);
    },
  };
};
