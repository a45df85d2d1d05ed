import type { Place } from './places.ts';
import type { Member, ProviderIndex } from './provider-index.ts';

let places = 0;
const numbers = new WeakMap<Place, number>();

/**
 * What a provider has in common with those that could stand for it in any plan: shape and place. It
 * has none when claims hold something of it, when it is in a tree of its own or has distances of
 * its own.
 */
export const twinKey = (
  { forest }: Pick<ProviderIndex, 'forest'>,
  { n, booked, facts, place, shape }: Member,
): string | undefined => {
  if (booked !== undefined || facts?.distances !== undefined || forest.isInTree(n))
    return undefined;
  let number = numbers.get(place);
  if (number === undefined) {
    places += 1;
    number = places;
    numbers.set(place, number);
  }
  return `${shape.id} ${number}`;
};
