/**
 * Why nothing fits: what each constraint removed, and which one alone stood in the way. Counted on
 * bits, so that a refusal in a large fleet costs no more than a few passes over them.
 */
import { isOverSeveral, type ResourceRequest } from './claim.ts';
import type { Asked, Constraint } from './constraint.ts';
import { freeBits } from './free-bits.ts';
import { andBits, countBits, nextBit } from './number-set.ts';
import type { PlaceRequest } from './place.ts';
import type { Funnel, Refusal } from './plan.ts';
import type { ProviderIndex } from './provider-index.ts';
import { FILTERS } from './selection.ts';
import { leastOf } from './tally.ts';
import { questionOf, vacancyOf, wantsWhole } from './vacancy.ts';

/** About a quarter of a second. */
const FREE_LOOKS = 6_000_000;

/** The funnel of the first group that finds no place, and what hinders all together. */
export const refusalOf = (
  index: ProviderIndex,
  request: PlaceRequest,
  looksMax = FREE_LOOKS,
): Refusal => {
  let first: Funnel | undefined;
  const free = createFree(index, request, looksMax);
  for (const asked of askedOf(request)) {
    const funnel = funnelOf({ index, request, asked }, free);
    if (funnel.remaining === 0) return { funnel, together: undefined };
    if (first === undefined || (first.fitsAlone && !funnel.fitsAlone)) first = funnel;
  }
  if (first === undefined) throw new Error('A request has a group');
  return { funnel: first, together: togetherOf(request) };
};

/** Pauses after each. */
export function* funnelsOf(
  index: ProviderIndex,
  request: PlaceRequest,
): Generator<void, readonly Funnel[]> {
  const free = createFree(index, request, FREE_LOOKS);
  const funnels: Funnel[] = [];
  for (const asked of askedOf(request)) {
    funnels.push(funnelOf({ index, request, asked }, free));
    yield;
  }
  return funnels;
}

/**
 * Who has room for one resource; looked for once for all groups that want the same of it. undefined
 * = it cannot be told within the looks that one request may take.
 */
type Free = (one: ResourceRequest) => Uint32Array | undefined;

const createFree = (index: ProviderIndex, request: PlaceRequest, looksMax: number): Free => {
  const known = new Map<string, Uint32Array | undefined>();
  const question = questionOf(request);
  const spent = { looks: 0, looksMax, isCut: false };
  return (one) => {
    const key = `${one.resourceType} ${one.amount} ${one.minAmount}`;
    if (!known.has(key)) known.set(key, freeBits(index, { asked: one, question, spent }));
    return known.get(key);
  };
};

/** What stands in the way when each group for itself would find a place. */
export const togetherOf = ({ spec: { groups, count } }: PlaceRequest): string => {
  const isIsolated = groups.some(({ isolateFrom }) => isolateFrom.length > 0);
  const what = count === 1 ? 'all that is wanted' : `count ${count}`;
  return isIsolated ? `${what} isolated` : `${what} together`;
};

const askedOf = ({ spec }: PlaceRequest): readonly Asked[] =>
  spec.groups.flatMap((group): Asked[] => {
    const spread = spec.spread === undefined ? {} : { spreadKind: spec.spread.groupKind };
    if (!isOverSeveral(group)) {
      return [{ group, resources: group.resources, isPart: false, ...spread }];
    }
    return group.resources.map((one) => ({ group, resources: [one], isPart: true, ...spread }));
  });

type Step = {
  readonly name: string;
  readonly bits: Uint32Array;
  /** Steps about one resource type are dropped together. */
  readonly about: string;
  /** No caller asks for it, so none can leave it out. */
  readonly isGiven: boolean;
};

const funnelOf = (room: RoomQuestion, free: Free): Funnel => {
  const { index, asked } = room;
  const { group, resources, isPart } = asked;
  const all = bitsOf(index, (bits) => index.all.orInto(bits));
  const steps = [
    ...FILTERS.flatMap((filter) => filter.constraints(asked, index)).map((one) =>
      stepOf(index, one, all),
    ),
    ...resources.flatMap((one): readonly Step[] => {
      const { resourceType } = one;
      const bits = free(one);
      if (bits === undefined) return [];
      return [{ name: freeReason(resourceType), bits, about: resourceType, isGiven: true }];
    }),
  ];
  const isCut = resources.some((one) => free(one) === undefined);
  const left = all.slice();
  const counted = [];
  let remaining = countBits(left);
  const providers = remaining;
  for (const { name, bits } of steps) {
    andBits(left, bits);
    const now = countBits(left);
    counted.push({ constraint: name, removed: remaining - now });
    remaining = now;
  }
  const fitsAlone = hasRoom(room, left, undefined);
  const inTheWay = fitsAlone || isCut ? [] : inTheWayOf(room, steps, all);
  return {
    requestGroup: group.name,
    group: isPart ? `${group.name} ${resources[0]?.resourceType}` : group.name,
    providers,
    steps: counted,
    remaining,
    fitsAlone,
    fitsWithout: inTheWay.map(({ name }) => name),
    canDrop: inTheWay.flatMap(({ name, isGiven }) => (isGiven ? [] : [name])),
  };
};

/** How a refusal names that too little is free. */
export const freeReason = (resourceType: string): string => `${resourceType} free`;

const stepOf = (index: ProviderIndex, constraint: Constraint, all: Uint32Array): Step => {
  const { name } = constraint;
  const about = (constraint.kind === 'shape' && constraint.resourceType) || name;
  const bits = bitsOf(index, (into) => {
    if (constraint.kind === 'shape') {
      for (const shape of index.shapes()) if (constraint.keeps(shape)) shape.members.orInto(into);
    } else for (const set of constraint.sets) set.orInto(into);
  });
  if (constraint.kind === 'none-of') {
    for (let at = 0; at < bits.length; at += 1) bits[at] = (all[at] ?? 0) & ~(bits[at] ?? 0);
  }
  const isGiven = constraint.kind === 'shape' ? about !== name : constraint.isGiven === true;
  return { name, bits, about, isGiven };
};

const bitsOf = (index: ProviderIndex, fill: (bits: Uint32Array) => void): Uint32Array => {
  const bits = new Uint32Array((index.width() >>> 5) + 1);
  fill(bits);
  return bits;
};

/**
 * The constraints each of which alone stands in the way of the count. Of one resource type the
 * first that removes all is named, or that too little is free.
 */
const inTheWayOf = (
  room: RoomQuestion,
  steps: readonly Step[],
  all: Uint32Array,
): readonly Step[] => {
  const abouts = [...Map.groupBy(steps, ({ about }) => about)].map(([dropped, own]) => {
    const bits = all.slice();
    for (const step of own) andBits(bits, step.bits);
    return { dropped, own, bits };
  });
  const without = eachWithout(
    abouts.map(({ bits }) => bits),
    all,
  );
  if (without === undefined) return [];
  return abouts.flatMap(({ dropped, own, bits: kept }) => {
    const left = without(kept);
    if (!hasRoom(room, left, dropped)) return [];
    return own.find(({ bits }) => removesAll(left, bits)) ?? own.at(-1) ?? [];
  });
};

/**
 * What all others leave when one of many is dropped. Whoever fails at two of them fails in any
 * case, so that each is looked at twice, and not once for each of the others. undefined = nobody is
 * left, whichever is dropped.
 */
const eachWithout = (
  each: readonly Uint32Array[],
  all: Uint32Array,
): ((dropped: Uint32Array) => Uint32Array) | undefined => {
  const failsOnce = new Uint32Array(all.length);
  const failsTwice = new Uint32Array(all.length);
  for (const bits of each) {
    for (let at = 0; at < all.length; at += 1) {
      const fails = ~(bits[at] ?? 0);
      failsTwice[at] = (failsTwice[at] ?? 0) | ((failsOnce[at] ?? 0) & fails);
      failsOnce[at] = (failsOnce[at] ?? 0) | fails;
    }
  }
  const atMostOnce = all.map((word, at) => word & ~(failsTwice[at] ?? 0));
  if (countBits(atMostOnce) === 0) return undefined;
  return (dropped) =>
    atMostOnce.map((word, at) => word & ~((failsOnce[at] ?? 0) & (dropped[at] ?? 0)));
};

const removesAll = (left: Uint32Array, bits: Uint32Array): boolean =>
  left.every((word, at) => (word & (bits[at] ?? 0)) === 0);

type RoomQuestion = {
  readonly index: ProviderIndex;
  readonly request: PlaceRequest;
  readonly asked: Asked;
};

/**
 * Whether the providers have room for the count, each of them for one at least. What of a resource
 * type is `dropped` is not counted.
 */
const hasRoom = (
  { index, request, asked: { group, resources } }: RoomQuestion,
  bits: Uint32Array,
  dropped: string | undefined,
): boolean => {
  const { count } = request.spec;
  const providers = countBits(bits);
  if (providers >= count || providers === 0) return providers >= count;
  if (wantsWhole({ resources }) || group.isolateFrom.includes(group.name)) return false;
  const question = questionOf(request);
  const counted = resources.filter(({ resourceType }) => resourceType !== dropped);
  let room = 0;
  for (let n = nextBit(bits, 0); n >= 0 && room < count; n = nextBit(bits, n + 1)) {
    const member = index.member(n);
    const vacancy = vacancyOf(index, member, question);
    const each = counted.map((one) =>
      Math.floor(vacancy.free(one.resourceType) / leastOf({ member }, one)),
    );
    room += Math.max(1, Math.min(count, ...each));
  }
  return room >= count;
};
