/**
 * Providers that could stand for each other in every plan of a request, so that what fails with one
 * of them need not be tried with the others.
 */
import { isOverSeveral } from './claim.ts';
import { wantedTogether } from './collective.ts';
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
  { forest, width, postings }: Pick<ProviderIndex, 'forest' | 'width' | 'postings'>,
  runs: readonly Run[],
): TwinKey => {
  // One tree is also what a sharing group names, provider by provider.
  if (runs.some(({ group }) => (group.sameSubtree ?? []).length > 0)) return () => undefined;
  // What several must have together is asked of each for itself by no run.
  const several = new Set(runs.flatMap(({ group }) => (isOverSeveral(group) ? [group] : [])));
  const wanted = [...several].flatMap(wantedTogether).flat().map(postings.of);
  const choosy = runs.filter(
    ({ selection: { within, without } }) => within.length + without.length > 0,
  );
  const classOf = createClasses();
  const marksOf = (n: number): string => {
    const has = wanted.map((set) => Number(set.has(n)));
    const taken = choosy.map(({ selection }) => Number(isWithin(selection, n)));
    return [...has, ...taken].join('');
  };
  const hasMarks = wanted.length + choosy.length > 0;
  const keyOf = (member: Member): number => {
    const { n, booked, facts, place, shape } = member;
    if (booked !== undefined || facts?.distances !== undefined || forest.isInTree(n)) return NONE;
    return classOf(place, shape, hasMarks ? marksOf(n) : '');
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

/** Counts what it sees for the first time. */
const createClasses = (): ((place: Place, shape: Shape, marks: string) => number) => {
  const places = new Map<Place, Map<Shape, Map<string, number>>>();
  let classes = 0;
  return (place, shape, marks) => {
    const shapes = places.get(place) ?? new Map<Shape, Map<string, number>>();
    places.set(place, shapes);
    const marked = shapes.get(shape) ?? new Map<string, number>();
    shapes.set(shape, marked);
    const known = marked.get(marks);
    if (known !== undefined) return known;
    classes += 1;
    marked.set(marks, classes);
    return classes;
  };
};
