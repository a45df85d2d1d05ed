/**
 * What is free of one provider over a window. `runm.machine.whole` takes all of it and of its tree,
 * any slice there blocks that, and after a whole machine its turnaround passes first.
 */
import { type RequestGroup, type ResourceRequest, WHOLE } from './claim.ts';
import { mostAmount } from './granted.ts';
import { type Hold, type Interval, isWhole, overlaps, peakUse } from './hold.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Shape } from './shape.ts';

export type Vacancy = {
  /** Nothing of it or of its tree is held at any instant of the window. */
  readonly idle: boolean;
  /** Somebody holds it whole at some instant of the window. */
  readonly taken: boolean;
  /** Amount that is free at every instant of the window; 0 for what is not offered. */
  readonly free: (resourceType: string) => number;
};

export type Question = {
  readonly window: Interval;
  /** Holds of this claim do not count. */
  readonly ignoreClaimUid?: string;
};

/** What a request asks of every provider. */
export const questionOf = ({
  window,
  ignoreClaimUid,
}: {
  readonly window: Interval;
  readonly ignoreClaimUid?: string;
}): Question => ({ window, ...(ignoreClaimUid !== undefined && { ignoreClaimUid }) });

export const vacancyOf = (index: ProviderIndex, member: Member, question: Question): Vacancy => {
  const { booked, shape } = member;
  const usable = (resourceType: string) => shape.offers.get(resourceType)?.usable ?? 0;
  if (booked === undefined) return { idle: true, taken: false, free: usable };
  const { ignoreClaimUid, window } = question;
  const turnaroundMs = index.topology().turnaroundMs.get(shape.type) ?? 0;
  const isSeen = ({ claimUid }: Hold) => claimUid !== ignoreClaimUid;
  const own: Hold[] = [];
  let wholeHere = false;
  let anything = false;
  const look = (hold: Hold): void => {
    if (!isSeen(hold)) return;
    if (!isWhole(hold)) {
      anything ||= overlaps(hold, window);
      return;
    }
    wholeHere ||= overlaps({ fromMs: hold.fromMs, toMs: hold.toMs + turnaroundMs }, window);
    anything ||= overlaps(
      { fromMs: hold.fromMs - turnaroundMs, toMs: hold.toMs + turnaroundMs },
      window,
    );
  };
  for (const hold of booked.own) {
    look(hold);
    if (isSeen(hold) && overlaps(hold, window)) own.push(hold);
  }
  for (const { hold } of booked.above ?? []) look(hold);
  for (const { hold } of booked.below ?? []) {
    if (isSeen(hold) && overlaps(hold, window)) anything = true;
  }
  const isSteady = booked.timed === 0 && ignoreClaimUid === undefined;
  return {
    idle: !anything,
    taken: wholeHere,
    free: (resourceType) => {
      const used = isSteady
        ? (booked.sums?.get(resourceType) ?? 0)
        : peakUse(own, resourceType, window);
      return Math.max(0, usable(resourceType) - used);
    },
  };
};

/** The same as vacancyOf(…).idle; a refusal asks it of every machine that is held for a time. */
export const isIdle = (
  index: ProviderIndex,
  { booked, shape }: Member,
  { window, ignoreClaimUid }: Question,
): boolean => {
  if (booked === undefined) return true;
  const turnaroundMs = index.topology().turnaroundMs.get(shape.type) ?? 0;
  for (const hold of booked.own) {
    if (hold.claimUid === ignoreClaimUid) continue;
    const aroundMs = isWhole(hold) ? turnaroundMs : 0;
    if (hold.fromMs - aroundMs < window.toMs && window.fromMs < hold.toMs + aroundMs) return false;
  }
  for (const { hold } of booked.above ?? []) {
    if (hold.claimUid === ignoreClaimUid) continue;
    const { fromMs, toMs } = hold;
    const around = { fromMs: fromMs - turnaroundMs, toMs: toMs + turnaroundMs };
    if (overlaps(around, window)) return false;
  }
  for (const { hold } of booked.below ?? []) {
    if (hold.claimUid !== ignoreClaimUid && overlaps(hold, window)) return false;
  }
  return true;
};

/** True when the provider is wanted as a whole. */
export const wantsWhole = ({ resources }: Pick<RequestGroup, 'resources'>): boolean =>
  resources.some(({ resourceType }) => resourceType === WHOLE);

/** The resource types of which too little is free. */
export const lackingIn = (
  { offers }: Pick<Shape, 'offers'>,
  vacancy: Vacancy,
  resources: readonly ResourceRequest[],
): readonly string[] => {
  if (wantsWhole({ resources })) return vacancy.idle ? [] : [WHOLE];
  if (vacancy.taken) return [WHOLE];
  return resources
    .filter((asked) => {
      const offer = offers.get(asked.resourceType);
      const free = vacancy.free(asked.resourceType);
      return offer === undefined || mostAmount(offer, asked, free) === undefined;
    })
    .map(({ resourceType }) => resourceType);
};
