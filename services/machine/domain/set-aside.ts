/**
 * Deliveries that one recipient cannot take now though the others of the sink can: they are set
 * aside, so that a full mailbox keeps nobody else from his. The list is part of the sink's place
 * and so survives a restart.
 */
export type SetAside = {
  readonly eventUid: string;
  readonly recipient: string;
  readonly sinceMs: number;
  /** Tries so far, at least one. */
  readonly tries: number;
  /** When it is tried again. */
  readonly dueMs: number;
};

/** More than this are not kept: the oldest is left out. */
export const SET_ASIDE_MAX = 500;
/** Mail servers keep what a mailbox does not take for 4 to 5 days (RFC 5321, 4.5.4.1). */
export const SET_ASIDE_MS = 2 * 24 * 3_600_000;

/** The next try, after a pause. */
export const setAside = (
  letter: Pick<SetAside, 'eventUid' | 'recipient'>,
  before: Pick<SetAside, 'sinceMs' | 'tries'> | undefined,
  { nowMs, pauseMs }: { readonly nowMs: number; readonly pauseMs: number },
): SetAside => ({
  eventUid: letter.eventUid,
  recipient: letter.recipient,
  tries: (before?.tries ?? 0) + 1,
  sinceMs: before?.sinceMs ?? nowMs,
  dueMs: nowMs + pauseMs,
});

export type Kept = { readonly kept: readonly SetAside[]; readonly dropped: readonly SetAside[] };

/** What is too old or too much is left out, the oldest first. */
export const keepSome = (waiting: readonly SetAside[], nowMs: number): Kept => {
  const bySince = waiting.toSorted((a, b) => a.sinceMs - b.sinceMs);
  const young = bySince.filter(({ sinceMs }) => nowMs - sinceMs < SET_ASIDE_MS);
  const kept = young.slice(Math.max(0, young.length - SET_ASIDE_MAX));
  const stays = new Set(kept);
  return { kept, dropped: waiting.filter((one) => !stays.has(one)) };
};

/** Those that are due, the longest due first. */
export const dueOf = (waiting: readonly SetAside[], nowMs: number, most: number) =>
  waiting
    .filter(({ dueMs }) => dueMs <= nowMs)
    .toSorted((a, b) => a.dueMs - b.dueMs)
    .slice(0, most);
