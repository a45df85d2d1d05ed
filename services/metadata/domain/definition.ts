/**
 * What properties of a kind of object mean. There is one definition for every kind; it is its own
 * identity, so it has no uid and is never deleted, only emptied.
 */
import { invalidArgument } from '../../runtime/errors.ts';
import type { RecordHead } from './record.ts';

export type PropertyKind = 'any' | 'string' | 'integer' | 'number' | 'bool' | 'string_list';

export type PropertyDefinition = {
  readonly key: string;
  readonly kind: PropertyKind;
  /** Claims may ask for it. */
  readonly schedulable: boolean;
  readonly description: string;
};

/** Version 0: nobody has ever set it. */
export type Definition = RecordHead & {
  readonly generation: number;
  readonly properties: readonly PropertyDefinition[];
};

/** Kinds of objects that have properties, in the order of their names. */
export const DEFINED_KINDS: readonly string[] = [
  'runm.claim',
  'runm.image',
  'runm.machine',
  'runm.partition',
  'runm.provider',
  'runm.provider_group',
];

export const definitionName = ({ id }: { readonly id: string }): string => `definitions/${id}`;

/** What is there before anybody has set it; undefined: there is no such kind of object. */
export const emptyDefinition = (kind: string): Definition | undefined => {
  const id = DEFINED_KINDS.find((one) => one === kind.toLowerCase());
  if (id === undefined) return undefined;
  return { uid: id, id, version: 0, createMs: 0, updateMs: 0, generation: 0, properties: [] };
};

/** The locked definition with these properties; the generation grows when they differ. */
export const redefined = (
  locked: Definition,
  properties: readonly PropertyDefinition[],
  nowMs: number,
): Definition => {
  const isSame = JSON.stringify(properties) === JSON.stringify(locked.properties);
  return {
    ...locked,
    properties,
    updateMs: nowMs,
    createMs: locked.createMs === 0 ? nowMs : locked.createMs,
    generation: locked.generation + (isSame ? 0 : 1),
  };
};

/** Errors: invalid_argument INVALID_FIELD naming the second property of a key. */
export const demandDistinctKeys = (properties: readonly PropertyDefinition[]): void => {
  const seen = new Map<string, number>();
  for (const [index, { key }] of properties.entries()) {
    const first = seen.get(key);
    if (first !== undefined) throw doubled(key, first, index);
    seen.set(key, index);
  }
};

const doubled = (key: string, first: number, second: number) => {
  const field = `definition.spec.properties[${second}].key`;
  const description = `"${key}" is defined already by properties[${first}]`;
  return invalidArgument('INVALID_FIELD', `${field}: ${description}`, {
    metadata: { field, value: key },
    violations: [{ field, description }],
  });
};
