/**
 * Which providers are within a position of another, for the many times that one search asks. All
 * that are in one place share what follows from the place.
 */
import type { Looks } from './budget.ts';
import { nearExplicit, nearPlace } from './distance.ts';
import { NumberSet } from './number-set.ts';
import type { Place } from './places.ts';
import type { Member, ProviderIndex } from './provider-index.ts';

export type Nearness = {
  /** Whether `to` is within the position of `from`. */
  readonly isNear: (from: Member, to: Member) => boolean;
  /** All within the position are in one of these; the same object for the same sets. */
  readonly around: (from: Member) => readonly NumberSet[];
};

/** What finding the sets of a place takes, in looks. */
const PLACE_LOOKS = 256;

export const createNearness = (
  index: ProviderIndex,
  near: { readonly type: string; readonly position: number },
  spent: Looks,
): Nearness => {
  const places = new Map<Place, readonly NumberSet[]>();
  const members = new Map<number, readonly NumberSet[]>();
  const lists = createLists();
  const inPlace = (place: Place): readonly NumberSet[] => {
    const known = places.get(place);
    if (known !== undefined) return known;
    const found = lists(nearPlace(index, near, place.ids));
    spent.looks += PLACE_LOOKS + found.length;
    places.set(place, found);
    return found;
  };
  const ofMember = (member: Member): readonly NumberSet[] => {
    const shared = inPlace(member.place);
    const own = nearExplicit(index, near, member);
    const isIn = near.position < 0 || shared.some((set) => set.has(member.n));
    if (own.length === 0 && isIn) return shared;
    const self = new NumberSet();
    if (near.position >= 0) self.add(member.n);
    return [self, ...own, ...shared];
  };
  const isIn = (sets: readonly NumberSet[], n: number): boolean => {
    for (const set of sets) {
      spent.looks += 1;
      if (set.has(n)) return true;
    }
    return false;
  };
  return {
    around: (member) => {
      const known = members.get(member.n) ?? ofMember(member);
      members.set(member.n, known);
      spent.looks += 1;
      return known;
    },
    isNear: (from, to) => {
      spent.looks += 2;
      if (from.n === to.n && near.position >= 0) return true;
      if (isIn(inPlace(from.place), to.n)) return true;
      return from.facts?.distances !== undefined && isIn(nearExplicit(index, near, from), to.n);
    },
  };
};

/** One object for equal lists: two places in one rack are near to the same. */
const createLists = (): ((sets: readonly NumberSet[]) => readonly NumberSet[]) => {
  const numbers = new Map<NumberSet, number>();
  const known = new Map<string, readonly NumberSet[]>();
  return (sets) => {
    for (const set of sets) if (!numbers.has(set)) numbers.set(set, numbers.size);
    const key = sets.map((set) => numbers.get(set)).join(' ');
    const list = known.get(key) ?? sets;
    known.set(key, list);
    return list;
  };
};
