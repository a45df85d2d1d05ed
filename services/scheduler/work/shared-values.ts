/**
 * One object for equal values. A fleet of a million providers repeats a few hundred lists of
 * capabilities, offers and groups; kept once each they cost nothing, kept per provider they are
 * most of the memory of a leader.
 */
import type { Offers } from '../domain/capacity.ts';
import type { Property } from '../domain/claim.ts';
import type { Distance } from '../domain/topology.ts';

export type SharedValues = {
  readonly text: (text: string) => string;
  readonly set: (texts: readonly string[]) => ReadonlySet<string>;
  readonly offers: (offers: Offers) => Offers;
  readonly properties: (
    properties: readonly (readonly [string, Property])[],
  ) => ReadonlyMap<string, Property>;
  readonly distances: (distances: readonly Distance[]) => readonly Distance[];
};

/**
 * Values remembered of each kind. Where every provider has values of its own nothing is shared, and
 * the memory of what was seen must not cost more than that.
 */
const KNOWN_MAX = 20_000;

export const createSharedValues = (): SharedValues => {
  const texts = createPool<string>();
  const sets = createPool<ReadonlySet<string>>();
  const offers = createPool<Offers>();
  const properties = createPool<ReadonlyMap<string, Property>>();
  const distances = createPool<readonly Distance[]>();
  return {
    text: (text) => texts(text, () => text),
    set: (given) => {
      if (given.length === 0) return NONE;
      return sets([...given].sort().join('\n'), () => new Set(given));
    },
    offers: (given) => offers(offersKey(given), () => given),
    properties: (given) => properties(JSON.stringify(given), () => new Map(given)),
    distances: (given) => distances(JSON.stringify(given), () => given),
  };
};

const NONE: ReadonlySet<string> = new Set();

const offersKey = (offers: Offers): string => {
  let key = '';
  for (const [code, { usable, minUnit, maxUnit, stepSize }] of offers) {
    key += `${code} ${usable} ${minUnit} ${maxUnit} ${stepSize}\n`;
  }
  return key;
};

const createPool = <T>() => {
  const known = new Map<string, T>();
  return (key: string, make: () => T): T => {
    const before = known.get(key);
    if (before !== undefined) return before;
    if (known.size >= KNOWN_MAX) known.clear();
    const made = make();
    known.set(key, made);
    return made;
  };
};
