/**
 * What owners of claims are told. The scheduler's leader writes into the claim what happened to it;
 * each occurrence has a name that stays the same whoever sees it and however often, so that it is
 * told once.
 */
import { type ClaimView, isOwnClaim } from './claim.ts';
import { type EventDraft, event } from './event.ts';

export type FollowedClaim = ClaimView & {
  /** Principal that made it. */
  readonly owner: string;
  /** End of its window; undefined = it has none. */
  readonly releaseMs: number | undefined;
  /** When its owner was to be warned of that end. */
  readonly warnMs: number | undefined;
  readonly releaseBeginMs: number | undefined;
  /** When the last of its providers was given back. */
  readonly finishMs: number | undefined;
  readonly end: 'none' | 'released' | 'expired' | 'cancelled';
  readonly problem:
    | { readonly reason: string; readonly message: string; readonly sinceMs: number }
    | undefined;
  /** How often it was placed anew. */
  readonly replacements: number;
};

export type ClaimNews = {
  /** Unique in the claim. */
  readonly occurrence: string;
  readonly draft: EventDraft;
};

/** The occurrence after which nothing more happens to a claim. */
export const LAST_OCCURRENCE = 'released';

/** Everything that the claim says has happened to it, told before or not. */
export const newsOf = (claim: FollowedClaim, nowMs: number): readonly ClaimNews[] => [
  ...ending(claim),
  ...atRisk(claim, nowMs),
  ...replaced(claim, nowMs),
  ...expired(claim, nowMs),
  ...released(claim, nowMs),
];

const ending = (claim: FollowedClaim): readonly ClaimNews[] => {
  const { warnMs, releaseMs, state } = claim;
  const isOver = state === 'releasing' || state === 'released';
  if (warnMs === undefined || releaseMs === undefined || isOver) return [];
  const endTime = timeOf(releaseMs);
  return [
    {
      // One more for each new end: an extension takes the warning back.
      occurrence: `ending ${releaseMs}`,
      draft: event(warnMs, {
        type: 'claim.ending',
        severity: 'warning',
        message:
          `It ends at ${endTime}; to keep it, extend it before: ` +
          `runm claim extend ${idOf(claim)}`,
        data: { ...dataOf(claim), release_time: endTime },
      }),
    },
  ];
};

const atRisk = (claim: FollowedClaim, nowMs: number): readonly ClaimNews[] => {
  if (claim.state !== 'at_risk') return [];
  const { reason = '', message = 'nobody knows why', sinceMs = 0 } = claim.problem ?? {};
  return [
    {
      occurrence: `at_risk ${sinceMs} ${reason}`,
      draft: event(sinceMs === 0 ? nowMs : sinceMs, {
        type: 'claim.at_risk',
        severity: 'error',
        message: `It may not be fulfilled: ${message}`,
        data: { ...dataOf(claim), reason },
      }),
    },
  ];
};

const replaced = (claim: FollowedClaim, nowMs: number): readonly ClaimNews[] => {
  const { replacements } = claim;
  if (replacements === 0) return [];
  const providers = [...new Set(claim.places.map(({ provider }) => provider))].join(', ');
  return [
    {
      occurrence: `replaced ${replacements}`,
      draft: event(nowMs, {
        type: 'claim.replaced',
        severity: 'warning',
        message: `A provider was lost before its window; it is placed on ${providers} now`,
        data: { ...dataOf(claim), replacements: String(replacements), providers },
      }),
    },
  ];
};

const expired = (claim: FollowedClaim, nowMs: number): readonly ClaimNews[] => {
  if (claim.end !== 'expired') return [];
  return [
    {
      occurrence: 'expired',
      draft: event(claim.releaseBeginMs ?? nowMs, {
        type: 'claim.expired',
        severity: 'warning',
        message: 'Its window is over; what it holds is being given back',
        data: dataOf(claim),
      }),
    },
  ];
};

const SAID: Readonly<Record<FollowedClaim['end'], string>> = {
  none: 'Everything that it held was given back',
  released: 'It was released, and everything that it held was given back',
  expired: 'Its window was over, and everything that it held was given back',
  cancelled: 'It was cancelled before its window began',
};

const released = (claim: FollowedClaim, nowMs: number): readonly ClaimNews[] => {
  // That a machine gave back its own claim is told by machine.released.
  if (claim.state !== 'released' || isOwnClaim(claim)) return [];
  return [
    {
      occurrence: LAST_OCCURRENCE,
      draft: event(claim.finishMs ?? nowMs, {
        type: 'claim.released',
        message: SAID[claim.end],
        data: { ...dataOf(claim), end: claim.end },
      }),
    },
  ];
};

const dataOf = ({ owner }: FollowedClaim): Readonly<Record<string, string>> =>
  owner === '' ? {} : { owner };

const timeOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

const idOf = ({ name }: FollowedClaim): string => name.slice(name.lastIndexOf('/') + 1);
