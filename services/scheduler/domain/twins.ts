/**
 * Providers that could stand for each other in every plan of a request, so that what fails with one
 * of them need not be tried with the others.
 */
import type { Place } from './places.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import { isWithin } from './selection.ts';
import type { Shape } from './shape.ts';
import type { Run } from './slot.ts';

/** Equal for twins; undefined = it has none. */
export type TwinKey = (member: Member) => number | undefined;

/**
 * Twins have one shape and one place, and each run would take both or neither. A provider of which
 * claims hold something, that is in a tree or has distances of its own has none.
 */
export const createTwinKey = (
  { forest, width }: Pick<ProviderIndex, 'forest' | 'width'>,
  runs: readonly Run[],
): TwinKey => {
  // One tree is also what a sharing group names, provider by provider.
  if (runs.some(({ group }) => (group.sameSubtree ?? []).length > 0)) return () => undefined;
  // What several must have together is asked of each for itself by no run.
  const isCollective = runs.some(({ group }) => group.multipleProviders === true);
  const choosy = runs.filter(
    ({ selection: { within, without } }) => within.length + without.length > 0,
  );
  const numbers = createNumbers();
  const marksOf = ({ n, facts }: Member): string => {
    const parts = isCollective ? [facts?.tags, facts?.properties].map(numbers.ofObject) : [];
    const taken = choosy.map(({ selection }) => Number(isWithin(selection, n)));
    return [...parts, ...taken].join(' ');
  };
  const hasMarks = isCollective || choosy.length > 0;
  const keyOf = (member: Member): number => {
    const { n, booked, facts, place, shape } = member;
    if (booked !== undefined || facts?.distances !== undefined || forest.isInTree(n)) return NONE;
    return numbers.ofClass(place, shape, hasMarks ? marksOf(member) : '');
  };
  let known: Int32Array | undefined;
  return (member) => {
    known ??= new Int32Array(width());
    const key = known[member.n] || keyOf(member);
    known[member.n] = key;
    return key === NONE ? undefined : key;
  };
};

/** Of a provider without twins; 0 is what was not asked for yet. */
const NONE = -1;

type Numbers = {
  readonly ofObject: (part: object | undefined) => number;
  readonly ofClass: (place: Place, shape: Shape, marks: string) => number;
};

/** Counts what it sees for the first time. */
const createNumbers = (): Numbers => {
  const objects = new Map<object | undefined, number>();
  const places = new Map<Place, Map<Shape, Map<string, number>>>();
  let classes = 0;
  return {
    ofObject: (part) => {
      const number = objects.get(part) ?? objects.size;
      objects.set(part, number);
      return number;
    },
    ofClass: (place, shape, marks) => {
      const shapes = places.get(place) ?? new Map<Shape, Map<string, number>>();
      places.set(place, shapes);
      const marked = shapes.get(shape) ?? new Map<string, number>();
      shapes.set(shape, marked);
      const known = marked.get(marks);
      if (known !== undefined) return known;
      classes += 1;
      marked.set(marks, classes);
      return classes;
    },
  };
};
