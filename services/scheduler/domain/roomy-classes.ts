/**
 * The classes of a shape that have room for what is asked, with their scores. A shape has hundreds
 * and most requests ask for what others asked for before: only classes that came since are judged.
 */
import type { Ranking, ResourceRequest } from './claim.ts';
import { fitsBeside } from './granted.ts';
import type { ProviderIndex } from './provider-index.ts';
import { SCORERS } from './ranking-scorers.ts';
import { freeShare, shareOf } from './scorer.ts';
import type { Selection } from './selection.ts';
import type { LoadClass, Shape } from './shape.ts';

export type RoomyClasses = {
  /** Of a provider of which nothing is held. */
  readonly freshScore: number;
  /** In the order in which they came; those that have no members are none any more. */
  readonly loads: readonly LoadClass[];
  /** Of each of them. */
  readonly scores: readonly number[];
};

type Known = {
  readonly freshScore: number;
  readonly loads: LoadClass[];
  readonly scores: number[];
  /** How many classes the shape had had. */
  made: number;
  readonly fits: (used: readonly number[]) => boolean;
  readonly freeOf: (used: readonly number[] | undefined) => number;
};

type Asking = { readonly selection: Selection; readonly ranking: Ranking };
type Remembered = { readonly ranking: Ranking; readonly byShape: Map<Shape, Known> };

const byIndex = new WeakMap<ProviderIndex, Map<Selection, Remembered>>();

/** Of so many selections it is remembered. */
const SELECTIONS_MAX = 128;

/** Tells them of each shape. */
export const roomyClassesOf = (
  index: ProviderIndex,
  asking: Asking,
): ((shape: Shape) => RoomyClasses) => {
  const { byShape } = remembered(index, asking);
  return (shape) => {
    const known = byShape.get(shape) ?? nothingOf(shape, asking);
    byShape.set(shape, known);
    if (!asking.selection.wantsWhole) catchUp(known, shape, asking.ranking);
    return known;
  };
};

/** What was asked for longest ago is forgotten first. */
const remembered = (index: ProviderIndex, { selection, ranking }: Asking): Remembered => {
  const selections = byIndex.get(index) ?? new Map<Selection, Remembered>();
  byIndex.set(index, selections);
  const before = selections.get(selection);
  const known = before?.ranking === ranking ? before : { ranking, byShape: new Map() };
  selections.delete(selection);
  selections.set(selection, known);
  const [oldest] = selections.keys();
  if (selections.size > SELECTIONS_MAX && oldest !== undefined) selections.delete(oldest);
  return known;
};

const nothingOf = (shape: Shape, { selection: { resources }, ranking }: Asking): Known => {
  const freeOf = freeBeside(shape, resources);
  return {
    freshScore: SCORERS[ranking].score(freeOf(undefined)),
    loads: [],
    scores: [],
    made: 0,
    fits: fitsBeside(shape, resources),
    freeOf,
  };
};

const catchUp = (known: Known, shape: Shape, ranking: Ranking): void => {
  if (known.made === shape.loads.made) return;
  let added = shape.loads.since(known.made);
  // Much was missed, or most of what is known is gone.
  if (added === undefined || known.loads.length > 2 * shape.loads.size + GONE_MAX) {
    known.loads.length = 0;
    known.scores.length = 0;
    added = [...shape.loads.values()];
  }
  known.made = shape.loads.made;
  for (const load of added) {
    if (load.members.size === 0 || !known.fits(load.used)) continue;
    known.loads.push(load);
    known.scores.push(SCORERS[ranking].score(known.freeOf(load.used)));
  }
};

/** The score of a provider of the shape of which nothing is held. */
export const freshScoreOf = (
  shape: Shape,
  resources: readonly ResourceRequest[],
  ranking: Ranking,
): number => SCORERS[ranking].score(freeBeside(shape, resources)(undefined));

/** So many beside as many as there are, before they are left out. */
const GONE_MAX = 64;

/** Tells the mean share that is free beside what is used of each of the shape's types. */
const freeBeside = (
  { codes, offers }: Shape,
  resources: readonly ResourceRequest[],
): ((used: readonly number[] | undefined) => number) => {
  if (resources.length === 0) return () => freeShare([]);
  const asked = resources.map(({ resourceType }) => ({
    usable: offers.get(resourceType)?.usable ?? 0,
    at: codes.indexOf(resourceType),
  }));
  return (used) => {
    let sum = 0;
    for (const { usable, at } of asked) {
      sum += shareOf({ usable, free: usable - (used?.[at] ?? 0) });
    }
    return sum / asked.length;
  };
};
