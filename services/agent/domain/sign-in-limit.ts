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
};

export const NEW_SIGN_IN: SignInRecord = {
  generation: 0n,
  refusals: 0,
  notBeforeMs: 0,
  works: 'none',
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

/** Written before values are tried that are not known to work: a crash counts as a refusal. */
export const afterRefusal = (
  record: SignInRecord,
  generation: bigint,
  nowMs: number,
): SignInRecord => {
  const earlier = record.generation === generation ? record.refusals : 0;
  const refusals = earlier + 1;
  const pauseMs = PAUSES_MS[Math.min(refusals, PAUSES_MS.length) - 1] ?? 0;
  return { generation, refusals, notBeforeMs: nowMs + pauseMs, works: 'none' };
};
