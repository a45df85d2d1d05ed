/**
 * Providers that could stand for each other in every plan of a request, so that what fails with one
 * of them need not be tried with the others.
 */
import type { Member, ProviderIndex } from './provider-index.ts';
import { isWithin } from './selection.ts';
import type { Run } from './slot.ts';

/** Equal for twins; undefined = it has none. */
export type TwinKey = (member: Member) => string | undefined;

let numbered = 0;
const numbers = new WeakMap<object, number>();

const numberOf = (part: object | undefined): number => {
  if (part === undefined) return 0;
  const known = numbers.get(part);
  if (known !== undefined) return known;
  numbered += 1;
  numbers.set(part, numbered);
  return numbered;
};

/**
 * Twins have one shape and one place, and each run would take both or neither. A provider of which
 * claims hold something, that is in a tree or has distances of its own has none.
 */
export const createTwinKey = (
  { forest }: Pick<ProviderIndex, 'forest'>,
  runs: readonly Run[],
): TwinKey => {
  // One tree is also what a sharing group names, provider by provider.
  if (runs.some(({ group }) => (group.sameSubtree ?? []).length > 0)) return () => undefined;
  // What several must have together is asked of each for itself by no run.
  const isCollective = runs.some(({ group }) => group.multipleProviders === true);
  const known = new Map<number, string | undefined>();
  const keyOf = ({ n, booked, facts, place, shape }: Member): string | undefined => {
    if (booked !== undefined || facts?.distances !== undefined || forest.isInTree(n)) {
      return undefined;
    }
    const parts = isCollective ? [facts?.tags, facts?.properties].map(numberOf) : [];
    const taken = runs.map(({ selection }) => Number(isWithin(selection, n)));
    return [shape.id, numberOf(place), ...parts, ...taken].join(' ');
  };
  return (member) => {
    if (!known.has(member.n)) known.set(member.n, keyOf(member));
    return known.get(member.n);
  };
};
