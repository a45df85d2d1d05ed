/**
 * Which providers are in a group, have a tag or a property: sets of their numbers by what they are
 * asked for. A request intersects a few of them, whatever the size of the fleet.
 */
import type { ProviderFacts } from './capacity.ts';
import type { Property, PropertyItem } from './claim.ts';
import { NumberSet } from './number-set.ts';
import type { Distance } from './topology.ts';

export type Postings = {
  /** Empty when nobody has it. */
  readonly of: (key: string) => NumberSet;
  readonly add: (keys: Iterable<string>, n: number) => void;
  readonly remove: (keys: Iterable<string>, n: number) => void;
  /** Grows whenever a set comes or goes; those that stay are the same objects. */
  readonly version: () => number;
};

const NOBODY = new NumberSet();

export const createPostings = (): Postings => {
  const sets = new Map<string, NumberSet>();
  let version = 0;
  const made = (key: string): NumberSet => {
    const set = new NumberSet();
    sets.set(key, set);
    version += 1;
    return set;
  };
  return {
    of: (key) => sets.get(key) ?? NOBODY,
    add: (keys, n) => {
      for (const key of keys) (sets.get(key) ?? made(key)).add(n);
    },
    remove: (keys, n) => {
      for (const key of keys) {
        const set = sets.get(key);
        set?.delete(n);
        if (set?.size === 0 && sets.delete(key)) version += 1;
      }
    },
    version: () => version,
  };
};

export const groupKey = (id: string): string => `group ${id}`;
export const kindKey = (kind: string): string => `kind ${kind}`;
export const tagKey = (tag: string): string => `tag ${tag}`;
export const propertyKey = (key: string): string => `key ${key}`;
export const itemKey = ({ key, value }: PropertyItem): string =>
  `item ${key} ${value.kind} ${JSON.stringify(value.value)}`;

export const distanceKey = ({ type, group, step }: Distance): string =>
  `distance ${type} ${group} ${step}`;

/** Keys of tags, properties and distances; those of groups follow from the topology too. */
export function* keysOf({ tags, properties, distances }: ProviderFacts): Generator<string> {
  for (const distance of distances ?? []) yield distanceKey(distance);
  for (const tag of tags) yield tagKey(tag);
  if (properties !== undefined) yield* keysOfProperties(properties);
}

type Properties = ReadonlyMap<string, Property>;

/** Most providers share their properties with others. */
const knownKeys = new WeakMap<Properties, readonly string[]>();

const keysOfProperties = (properties: Properties): readonly string[] => {
  const known = knownKeys.get(properties);
  if (known !== undefined) return known;
  const keys = [...properties].flatMap(([key, value]) => [
    propertyKey(key),
    itemKey({ key, value }),
    ...textsIn(key, value),
  ]);
  knownKeys.set(properties, keys);
  return keys;
};

/** A text that is asked for is also met by a list that holds it. */
function* textsIn(key: string, value: Property): Generator<string> {
  if (value.kind !== 'strings') return;
  for (const text of new Set(value.value)) {
    yield itemKey({ key, value: { kind: 'string', value: text } });
  }
}
