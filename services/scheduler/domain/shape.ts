/**
 * A shape is a class of providers that offer the same and have the same capabilities: type, offers,
 * capabilities and nothing else. A large fleet has a few hundred, so what is decided by shape costs
 * the same for ten providers and for a million.
 */
import type { Offers } from './capacity.ts';
import { NumberSet } from './number-set.ts';

/** Members whose claims add up to the same amounts, in the order of the shape's resource types. */
export type LoadClass = {
  readonly used: readonly number[];
  /** Empty = it is none of the shape's any more. */
  readonly members: NumberSet;
};

/** So many of the newest are remembered; whoever missed more reads all. */
const RECENT_MAX = 1_024;

/** The classes of a shape by what is used, in the order in which they came. */
class LoadClasses {
  readonly #byKey = new Map<string, LoadClass>();
  #recent: LoadClass[] = [];
  #made = 0;

  get size(): number {
    return this.#byKey.size;
  }

  /** How many ever came. */
  get made(): number {
    return this.#made;
  }

  get(key: string): LoadClass | undefined {
    return this.#byKey.get(key);
  }

  set(key: string, load: LoadClass): void {
    if (this.#byKey.get(key) === load) return;
    this.#byKey.set(key, load);
    this.#made += 1;
    if (this.#recent.length >= 2 * RECENT_MAX) this.#recent = this.#recent.slice(-RECENT_MAX);
    this.#recent.push(load);
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  values(): Iterable<LoadClass> {
    return this.#byKey.values();
  }

  /** Those that came when so many had come; undefined = that is too long ago. */
  since(made: number): readonly LoadClass[] | undefined {
    const count = this.#made - made;
    if (count === 0) return NONE;
    return count <= this.#recent.length ? this.#recent.slice(-count) : undefined;
  }
}

const NONE: readonly LoadClass[] = [];

export type Shape = {
  /** Counts up; what equals are shuffled by. */
  readonly id: number;
  readonly key: string;
  readonly type: string;
  readonly offers: Offers;
  /** Codes of `offers` in their order. */
  readonly codes: readonly string[];
  readonly capabilities: ReadonlySet<string>;
  readonly members: NumberSet;
  /** Open, and no claim has anything of them at any time. */
  readonly free: NumberSet;
  /** Open, with claims, and none of them for the whole: by what is used at most. */
  readonly loads: LoadClasses;
  /** Open, with a claim that begins later or ends: what is free depends on the window. */
  readonly timed: NumberSet;
};

export type ShapeTable = {
  readonly all: () => Iterable<Shape>;
  readonly of: (type: string, offers: Offers, capabilities: ReadonlySet<string>) => Shape;
  /** Forgets a shape that has no members any more. */
  readonly tidy: (shape: Shape) => void;
  /** Grows whenever a shape comes or goes. */
  readonly version: () => number;
};

export const createShapeTable = (): ShapeTable => {
  const shapes = new Map<string, Shape>();
  let made = 0;
  let gone = 0;
  /** Facts share their sets and offers, so most shapes are found without their long keys. */
  const shared = new WeakMap<Offers, WeakMap<ReadonlySet<string>, Map<string, Shape>>>();
  const sharedBy = (offers: Offers, capabilities: ReadonlySet<string>): Map<string, Shape> => {
    const known = shared.get(offers)?.get(capabilities);
    if (known !== undefined) return known;
    const ofOffers = shared.get(offers) ?? new WeakMap<ReadonlySet<string>, Map<string, Shape>>();
    shared.set(offers, ofOffers);
    const byType = new Map<string, Shape>();
    ofOffers.set(capabilities, byType);
    return byType;
  };
  const find = (type: string, offers: Offers, capabilities: ReadonlySet<string>): Shape => {
    const key = `${type}|${offersKey(offers)}|${codesKey(capabilities)}`;
    const known = shapes.get(key);
    return known ?? make({ key, type, offers, capabilities });
  };
  const make = (of: Pick<Shape, 'key' | 'type' | 'offers' | 'capabilities'>): Shape => {
    made += 1;
    const shape: Shape = {
      ...of,
      id: made,
      codes: [...of.offers.keys()],
      members: new NumberSet(),
      free: new NumberSet(),
      loads: new LoadClasses(),
      timed: new NumberSet(),
    };
    shapes.set(of.key, shape);
    return shape;
  };
  return {
    all: () => shapes.values(),
    of: (type, offers, capabilities) => {
      const byType = sharedBy(offers, capabilities);
      const known = byType.get(type);
      if (known !== undefined && shapes.get(known.key) === known) return known;
      const shape = find(type, offers, capabilities);
      byType.set(type, shape);
      return shape;
    },
    tidy: (shape) => {
      if (shape.members.size === 0 && shapes.delete(shape.key)) gone += 1;
    },
    version: () => made + gone,
  };
};

const offersKey = (offers: Offers): string =>
  [...offers]
    .map(([code, { usable, minUnit, maxUnit, stepSize }]) =>
      [code, usable, minUnit, maxUnit, stepSize].join(' '),
    )
    .sort()
    .join(',');

const codesKey = (codes: ReadonlySet<string>): string => [...codes].sort().join(',');
