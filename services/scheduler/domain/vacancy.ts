/**
 * What is free of one provider over a window. `runm.machine.whole` takes all of it and of its tree,
 * any slice there blocks that, and what was taken whole is cleaned before anything else is held.
 */
import type { Booked } from './bookings.ts';
import { type RequestGroup, type ResourceRequest, WHOLE } from './claim.ts';
import { mostAmount } from './granted.ts';
import { type Hold, type Interval, isWhole, overlaps, peakUse } from './hold.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Shape } from './shape.ts';
import { someHold, turnaroundOf } from './turnaround.ts';

export type Vacancy = {
  /** Nothing of it or of its tree is held at any instant of the window and its own cleaning. */
  readonly idle: boolean;
  /** Somebody holds it whole, or it is cleaned after that, at some instant of the window. */
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
  if (booked === undefined) {
    return { idle: true, taken: false, free: (resourceType) => usableOf(shape, resourceType) };
  }
  return new HeldVacancy(index, { booked, shape }, question);
};

const usableOf = ({ offers }: Shape, resourceType: string): number =>
  offers.get(resourceType)?.usable ?? 0;

/**
 * The sums mostly tell, and there may be hundreds of holds: these are looked at when they must be.
 * A class, because V8 makes a shape that lasts for each object that brings getters of its own.
 */
class HeldVacancy implements Vacancy {
  readonly #index: ProviderIndex;
  readonly #held: Held & { readonly booked: Booked };
  readonly #question: Question;
  #found: Found | undefined;

  constructor(index: ProviderIndex, held: Held & { readonly booked: Booked }, question: Question) {
    this.#index = index;
    this.#held = held;
    this.#question = question;
  }

  get idle(): boolean {
    return this.#look().idle;
  }

  get taken(): boolean {
    return this.#look().taken;
  }

  free(resourceType: string): number {
    const { booked, shape } = this.#held;
    const isSteady = booked.timed === 0 && this.#question.ignoreClaimUid === undefined;
    const used = isSteady
      ? (booked.sums?.get(resourceType) ?? 0)
      : peakUse(this.#look().own, resourceType, this.#question.window);
    return Math.max(0, usableOf(shape, resourceType) - used);
  }

  #look(): Found {
    this.#found ??= lookAtHolds(this.#index, this.#held, this.#question);
    return this.#found;
  }
}

type Found = Pick<Vacancy, 'idle' | 'taken'> & { readonly own: readonly Hold[] };
type Held = Pick<Member, 'booked' | 'shape'>;

const lookAtHolds = (
  index: ProviderIndex,
  held: Held,
  { ignoreClaimUid, window }: Question,
): Found => {
  const untilMs = window.toMs + turnaroundOf(index, held);
  const own: Hold[] = [];
  let taken = false;
  let idle = true;
  someHold(index, held, (hold, clearMs, where) => {
    if (hold.claimUid === ignoreClaimUid) return false;
    if (where === 'here' && overlaps(hold, window)) own.push(hold);
    const isAfter = clearMs <= window.fromMs;
    idle &&= isAfter || hold.fromMs >= untilMs;
    taken ||= !isAfter && hold.fromMs < window.toMs && where !== 'below' && isWhole(hold);
    return false;
  });
  return { idle, taken, own };
};

/** The same as vacancyOf(…).idle; a refusal asks it of every machine that is held for a time. */
export const isIdle = (
  index: ProviderIndex,
  member: Member,
  { window, ignoreClaimUid }: Question,
): boolean => {
  const untilMs = window.toMs + turnaroundOf(index, member);
  return !someHold(
    index,
    member,
    (hold, clearMs) =>
      hold.claimUid !== ignoreClaimUid && hold.fromMs < untilMs && window.fromMs < clearMs,
  );
};

/** True when the provider is wanted as a whole. */
export const wantsWhole = ({ resources }: Pick<RequestGroup, 'resources'>): boolean =>
  resources.some(({ resourceType }) => resourceType === WHOLE);

/**
 * Whether enough of one resource that is not the whole is free, the same as that it is not lacking;
 * a refusal asks it of the whole fleet, and the sums of what is held mostly tell.
 */
export const hasFree = (
  index: ProviderIndex,
  member: Member,
  { asked, question }: { readonly asked: ResourceRequest; readonly question: Question },
): boolean => {
  const { booked, shape } = member;
  const offer = shape.offers.get(asked.resourceType);
  if (offer === undefined) return false;
  const fitsBeside = (used: number) =>
    mostAmount(offer, asked, Math.max(0, offer.usable - used)) !== undefined;
  if (booked === undefined) return fitsBeside(0);
  if (booked.wholes === 0 && booked.above === undefined) {
    const sum = booked.sums?.get(asked.resourceType) ?? 0;
    if (fitsBeside(sum)) return true;
    const [only, another] = booked.own;
    if (another === undefined && only !== undefined) {
      const counts = only.claimUid !== question.ignoreClaimUid && overlaps(only, question.window);
      return !counts && fitsBeside(0);
    }
  }
  return lackingIn(shape, vacancyOf(index, member, question), [asked]).length === 0;
};

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
