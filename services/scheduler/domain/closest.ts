/** What "closest" tries first: near a group, or near to each other. */
import type { ClaimSpec } from './claim.ts';
import { nearSets } from './distance.ts';
import type { NumberSet } from './number-set.ts';
import { groupKey } from './postings.ts';
import type { ProviderIndex } from './provider-index.ts';
import type { DistanceStep } from './topology.ts';
import { wantsWhole } from './vacancy.ts';

type Spec = Pick<ClaimSpec, 'nearGroup' | 'rankingDistanceType' | 'count' | 'groups'>;

const stepsOf = (index: ProviderIndex, spec: Spec): readonly DistanceStep[] =>
  index.topology().distanceTypes.get(spec.rankingDistanceType ?? '')?.steps ?? [];

/** Providers by their distance from the group: those within the first step, within the second, … */
export function* nearTiers(index: ProviderIndex, spec: Spec): Generator<readonly NumberSet[]> {
  const { nearGroup: id, rankingDistanceType: type } = spec;
  if (id === undefined || type === undefined) return;
  const from = { kind: 'provider-group', id } as const;
  yield nearSets(index, { type, from, position: 0 });
  for (const { position } of stepsOf(index, spec)) yield nearSets(index, { type, from, position });
}

/**
 * Places that could hold all of it, from the nearest kind to the farthest: any rack before any row.
 */
export function* closestAnchors(index: ProviderIndex, spec: Spec): Generator<readonly NumberSet[]> {
  const groups = [...index.topology().groups.values()];
  const least = leastProviders(spec);
  for (const { sharedKind } of stepsOf(index, spec)) {
    for (const { id, kind } of groups) {
      if (sharedKind === undefined || kind !== sharedKind) continue;
      const members = index.postings.of(groupKey(id));
      if (members.size >= least) yield [members];
    }
  }
}

/** Whatever is whole has a provider for itself, and so has what is isolated from its own group. */
const leastProviders = ({ groups, count }: Spec): number => {
  const wholes = groups.filter(wantsWhole).length;
  const isApart = groups.some(({ name, isolateFrom }) => isolateFrom.includes(name));
  return count * Math.max(wholes, isApart ? 1 : 0) || 1;
};
