/**
 * How often credentials that a controller refused may be tried again. Controllers lock an account
 * after three to five failures within minutes, some for good, and a locked account also locks out
 * the people. So a refused password is tried again after a pause that grows, and a changed secret
 * starts anew.
 */
export type SignInRecord = {
  /** Generation of the secret that the rest is about. */
  readonly generation: bigint;
  /** Refusals in a row. */
  readonly refusals: number;
  /** Wall clock, milliseconds since 1970; before it nothing is tried. */
  readonly notBeforeMs: number;
  /** Which values worked last. */
  readonly works: 'none' | 'present' | 'staged';
  /** Attempts that were begun and whose outcome nobody saw, because the agent died in them. */
  readonly unfinished: number;
};

export const NEW_SIGN_IN: SignInRecord = {
  generation: 0n,
  refusals: 0,
  notBeforeMs: 0,
  works: 'none',
  unfinished: 0,
};

export type SignInVerdict =
  | { readonly kind: 'try'; readonly which: readonly ('present' | 'staged')[] }
  | { readonly kind: 'wait'; readonly untilMs: number };

const MINUTE_MS = 60_000;
const PAUSES_MS = [10, 30, 120, 480, 1440].map((minutes) => minutes * MINUTE_MS);

/** Which values to try now, in order; those that worked last come first. */
export const maySignIn = (
  record: SignInRecord,
  now: { readonly generation: bigint; readonly hasStaged: boolean; readonly nowMs: number },
): SignInVerdict => {
  const isAbout = record.generation === now.generation;
  if (isAbout && now.nowMs < record.notBeforeMs) {
    return { kind: 'wait', untilMs: record.notBeforeMs };
  }
  if (!now.hasStaged) return { kind: 'try', which: ['present'] };
  // Both were refused before: from then on one of the two in turn, one attempt for each pause.
  if (isAbout && record.refusals > 0) {
    return { kind: 'try', which: [record.refusals % 2 === 1 ? 'present' : 'staged'] };
  }
  return isAbout && record.works === 'staged'
    ? { kind: 'try', which: ['staged', 'present'] }
    : { kind: 'try', which: ['present', 'staged'] };
};

export const afterSignIn = (generation: bigint, works: 'present' | 'staged'): SignInRecord => ({
  ...NEW_SIGN_IN,
  generation,
  works,
});

/** So many attempts without an outcome are as good as refused. */
const UNFINISHED_MAX = 2;

/** Written before values are tried that are not known to work: an agent may die in each attempt. */
export const beforeSignIn = (
  record: SignInRecord,
  generation: bigint,
  nowMs: number,
): SignInRecord => {
  const same = record.generation === generation ? record : { ...NEW_SIGN_IN, generation };
  const unfinished = same.unfinished + 1;
  if (unfinished < UNFINISHED_MAX) return { ...same, unfinished };
  return { ...afterRefusal(same, generation, nowMs), unfinished: 0 };
};

export const afterRefusal = (
  record: SignInRecord,
  generation: bigint,
  nowMs: number,
): SignInRecord => {
  const earlier = record.generation === generation ? record.refusals : 0;
  const refusals = earlier + 1;
  const pauseMs = PAUSES_MS[Math.min(refusals, PAUSES_MS.length) - 1] ?? 0;
  return { ...NEW_SIGN_IN, generation, refusals, notBeforeMs: nowMs + pauseMs };
};
