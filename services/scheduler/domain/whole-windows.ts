/**
 * When whole machines are free: for each the begins at which something of it would still be held.
 * Begins and ends of these spans are sorted as plain numbers, which is what a hundred thousand
 * bookings cost.
 */
import type { FoundWindow } from './find-windows.ts';
import type { Interval } from './hold.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import { isWithin } from './selection.ts';
import type { Run } from './slot.ts';
import { someHold, turnaroundOf } from './turnaround.ts';

type Question = {
  readonly run: Run;
  readonly wanted: number;
  /** Of begins. */
  readonly range: Interval;
  readonly durationMs: number;
  readonly ignoreClaimUid: string | undefined;
};

export const wholeWindows = (index: ProviderIndex, question: Question): readonly FoundWindow[] => {
  const { run } = question;
  const { selection } = run;
  const from: number[] = [];
  const to: number[] = [];
  let providers = 0;
  for (const shape of selection.shapes) {
    if (selection.within.length + selection.without.length === 0) providers += shape.free.size;
    else for (const n of shape.free) if (isWithin(selection, n)) providers += 1;
    for (const n of shape.timed) {
      if (!isWithin(selection, n)) continue;
      providers += 1;
      addBlocked(index, index.member(n), { question, from, to });
    }
  }
  return sweep(question, providers, {
    from: Float64Array.from(from).sort(),
    to: Float64Array.from(to).sort(),
  });
};

type Blocked = {
  readonly question: Question;
  readonly from: number[];
  readonly to: number[];
};

/** The spans of begins at which it is not free, those that meet as one. */
const addBlocked = (
  index: ProviderIndex,
  member: Member,
  { question, from, to }: Blocked,
): void => {
  const { durationMs, ignoreClaimUid } = question;
  const spanMs = durationMs + turnaroundOf(index, member);
  const spans: (readonly [number, number])[] = [];
  someHold(index, member, (hold, clearMs) => {
    if (hold.claimUid !== ignoreClaimUid) spans.push([hold.fromMs - spanMs + 1, clearMs]);
    return false;
  });
  if (spans.length > 1) spans.sort((a, b) => a[0] - b[0]);
  let endMs = -Infinity;
  for (const [fromMs, toMs] of spans) {
    if (fromMs > endMs) {
      if (endMs !== -Infinity) to.push(endMs);
      from.push(fromMs);
      endMs = toMs;
    } else if (toMs > endMs) endMs = toMs;
  }
  if (endMs !== -Infinity) to.push(endMs);
};

type Edges = { readonly from: Float64Array; readonly to: Float64Array };

const sweep = (
  { range, wanted }: Question,
  providers: number,
  { from, to }: Edges,
): readonly FoundWindow[] => {
  const found: FoundWindow[] = [];
  let free = providers;
  let [atFrom, atTo] = [0, 0];
  let begin: { readonly beginMs: number; readonly providers: number } | undefined;
  for (let nowMs = range.fromMs; ; ) {
    for (; (from[atFrom] ?? Infinity) <= nowMs; atFrom += 1) free -= 1;
    for (; (to[atTo] ?? Infinity) <= nowMs; atTo += 1) free += 1;
    if (free >= wanted) begin ??= { beginMs: nowMs, providers: free };
    else if (begin !== undefined) {
      found.push({ ...begin, latestBeginMs: nowMs - 1 });
      begin = undefined;
    }
    nowMs = Math.min(from[atFrom] ?? Infinity, to[atTo] ?? Infinity);
    if (nowMs > range.toMs) break;
  }
  if (begin !== undefined) found.push({ ...begin, latestBeginMs: range.toMs });
  return found;
};
