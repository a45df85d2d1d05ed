/**
 * How the providers of a partition lie to each other, as inventory tells it: groups that lie in
 * groups, distance types and their steps, and what holds for whole provider types. Changes rarely;
 * a new one replaces the old as a whole.
 */

export type PropertyKind = 'string' | 'integer' | 'number' | 'bool' | 'strings';

export type GroupKind = 'site' | 'row' | 'rack' | 'power' | 'aggregate';

/** How far something is from a group. */
export type Distance = {
  readonly type: string;
  /** Id of the group, lower case. */
  readonly group: string;
  /** Code of the step. */
  readonly step: string;
};

export type GroupFacts = {
  /** Lower case; also the key in `Topology.groups`. */
  readonly id: string;
  readonly kind: GroupKind;
  /** Id of the group in which it lies, lower case; undefined = in none. */
  readonly parent: string | undefined;
  /** Uids of providers that its members may use; they count as part of each member's tree. */
  readonly sharedProviders: readonly string[];
  /** Holds both ways. */
  readonly distances: readonly Distance[];
};

export type DistanceStep = {
  readonly code: string;
  /** The smaller the nearer. */
  readonly position: number;
  /** Providers with a group of this kind in common are at most this far apart. */
  readonly sharedKind: GroupKind | undefined;
};

export type DistanceTypeFacts = {
  readonly code: string;
  /** From near to far. */
  readonly steps: readonly DistanceStep[];
};

export type Topology = {
  readonly groups: ReadonlyMap<string, GroupFacts>;
  readonly distanceTypes: ReadonlyMap<string, DistanceTypeFacts>;
  /** By provider type; what whole machines need between two claims. Absent = nothing. */
  readonly turnaroundMs: ReadonlyMap<string, number>;
  /** Keys of provider properties that claims may ask for. */
  readonly schedulable: ReadonlySet<string>;
  /** Of those whose definition says one. */
  readonly propertyKinds?: ReadonlyMap<string, PropertyKind>;
};

export const NO_TOPOLOGY: Topology = {
  groups: new Map(),
  distanceTypes: new Map(),
  turnaroundMs: new Map(),
  schedulable: new Set(),
};
