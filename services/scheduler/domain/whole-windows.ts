/**
 * When whole machines are free: for each the begins at which something of it would still be held.
 * Begins and ends of these spans are sorted as plain numbers, which is what a hundred thousand
 * bookings cost.
 */

import type { Member, ProviderIndex } from './provider-index.ts';
import type { FoundWindow, Sweep } from './sweep.ts';
import { someHold, turnaroundOf } from './turnaround.ts';
import { visit } from './visit.ts';

/** What looking at a booking takes. */
const HOLD_LOOKS = 5;

export function* wholeWindows(
  index: ProviderIndex,
  sweep: Sweep,
): Generator<void, readonly FoundWindow[]> {
  const { bits, spent, share } = sweep;
  const blocked: Blocked = { from: [], to: [] };
  let providers = 0;
  const see = (member: Member): void => {
    const { booked } = member;
    if (booked === undefined) providers += 1;
    else if (booked.timed > 0) {
      providers += 1;
      spent.looks += HOLD_LOOKS * addBlocked(index, member, { sweep, blocked });
    }
  };
  yield* visit(index, { bits, spent, share, see });
  return windowsOf(sweep, providers, {
    from: Float64Array.from(blocked.from).sort(),
    to: Float64Array.from(blocked.to).sort(),
  });
}

type Blocked = { readonly from: number[]; readonly to: number[] };

type Within = { readonly sweep: Sweep; readonly blocked: Blocked };

/**
 * Adds the spans of begins at which it is not free, those that meet as one; says how many bookings
 * it has.
 */
const addBlocked = (index: ProviderIndex, member: Member, { sweep, blocked }: Within): number => {
  const { durationMs, ignoreClaimUid } = sweep;
  const { from, to } = blocked;
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
  return spans.length;
};

type Edges = { readonly from: Float64Array; readonly to: Float64Array };

const windowsOf = (
  { range, wanted }: Sweep,
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
