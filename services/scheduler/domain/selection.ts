/** The constraints of one group, or of one resource of it, ready to be asked of providers. */
import type { ResourceRequest } from './claim.ts';
import type { Asked, Constraint, Filter } from './constraint.ts';
import { capabilitiesFilter } from './filters/capabilities.ts';
import { distancesFilter } from './filters/distances.ts';
import { namedProvidersFilter } from './filters/named-providers.ts';
import { offeredFilter } from './filters/offered.ts';
import { openFilter } from './filters/open.ts';
import { otherConsumersFilter } from './filters/other-consumers.ts';
import { propertiesFilter } from './filters/properties.ts';
import { providerGroupsFilter } from './filters/provider-groups.ts';
import { tagsFilter } from './filters/tags.ts';
import type { NumberSet } from './number-set.ts';
import type { ProviderIndex } from './provider-index.ts';
import type { Shape } from './shape.ts';
import { wantsWhole } from './vacancy.ts';

/** In the order in which a refusal names them. */
export const FILTERS: readonly Filter[] = [
  capabilitiesFilter,
  offeredFilter,
  openFilter,
  namedProvidersFilter,
  providerGroupsFilter,
  tagsFilter,
  propertiesFilter,
  distancesFilter,
  otherConsumersFilter,
];

export type Selection = {
  readonly asked: Asked;
  readonly resources: readonly ResourceRequest[];
  readonly wantsWhole: boolean;
  readonly constraints: readonly Constraint[];
  /** Those that keep every constraint of shapes. */
  readonly shapes: ReadonlySet<Shape>;
  /** A provider must be in one set of each. */
  readonly within: readonly (readonly NumberSet[])[];
  readonly without: readonly NumberSet[];
};

export const select = (index: ProviderIndex, asked: Asked): Selection => {
  const constraints = FILTERS.flatMap((filter) => filter.constraints(asked, index)).filter(
    ({ name }) => name !== asked.leftOut,
  );
  const ofShapes = constraints.flatMap((one) => (one.kind === 'shape' ? one.keeps : []));
  const shapes = new Set<Shape>();
  for (const shape of index.shapes()) {
    if (ofShapes.every((keeps) => keeps(shape))) shapes.add(shape);
  }
  return {
    asked,
    resources: asked.resources,
    wantsWhole: wantsWhole(asked),
    constraints,
    shapes,
    within: constraints.flatMap((one) => {
      const isOpen = one.kind === 'any-of' && one.sets.length === 1 && one.sets[0] === index.open;
      return one.kind === 'any-of' && !isOpen ? [one.sets] : [];
    }),
    without: constraints.flatMap((one) => (one.kind === 'none-of' ? one.sets : [])),
  };
};

/** Whether an open provider of one of the shapes meets the rest. */
export const isWithin = ({ within, without }: Selection, n: number): boolean => {
  for (const sets of within) {
    let found = false;
    for (const set of sets) {
      if (!set.has(n)) continue;
      found = true;
      break;
    }
    if (!found) return false;
  }
  for (const set of without) if (set.has(n)) return false;
  return true;
};

/** The smallest of the sets that a provider must be in; undefined = there are none. */
export const narrowest = ({ within }: Selection): readonly NumberSet[] | undefined => {
  let least: readonly NumberSet[] | undefined;
  let leastSize = Infinity;
  for (const sets of within) {
    const size = sets.reduce((sum, set) => sum + set.size, 0);
    if (size < leastSize) [least, leastSize] = [sets, size];
  }
  return least;
};

export const sizeOf = (sets: readonly NumberSet[]): number =>
  sets.reduce((sum, set) => sum + set.size, 0);
