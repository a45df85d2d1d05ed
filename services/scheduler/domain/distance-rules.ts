/** What the groups of one request demand of the distances between them, ready to be asked. */
import type { Looks } from './budget.ts';
import type { ClaimSpec, DistanceConstraint, RequestGroup } from './claim.ts';
import { createNearness, type Nearness } from './nearness.ts';
import type { NumberSet } from './number-set.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import { boundsOf } from './step-bounds.ts';

export type DistanceRules = {
  /** Whether a provider for the one group is as far from one for the other as the first demands. */
  readonly allow: (pair: Pair) => boolean;
  /**
   * Where a provider for the group must be because of one for the other; undefined = anywhere. Near
   * is near both ways, so it does not matter which of them demands it.
   */
  readonly narrow: (group: RequestGroup, other: Other) => readonly NumberSet[] | undefined;
  /** Whether placements of the group keep a distance from each other. */
  readonly isApart: (group: RequestGroup) => boolean;
};

type Other = { readonly group: RequestGroup; readonly member: Member };
type Pair = Other & { readonly other: Other };

type Rule = {
  readonly from: string;
  /** It must be within this; undefined = there is no maximum. */
  readonly within: Nearness | undefined;
  /** It must not be within this; undefined = there is no minimum. */
  readonly beyond: Nearness | undefined;
};

const NO_RULES: readonly Rule[] = [];

export const createDistanceRules = (
  index: ProviderIndex,
  { groups }: Pick<ClaimSpec, 'groups'>,
  spent: Looks,
): DistanceRules => {
  const known = new Map<string, Nearness>();
  const nearness = (type: string, position: number): Nearness => {
    const key = `${type} ${position}`;
    const near = known.get(key) ?? createNearness(index, { type, position }, spent);
    known.set(key, near);
    return near;
  };
  const ruleOf = (wanted: DistanceConstraint): readonly Rule[] => {
    const { from, type } = wanted;
    if (from.kind !== 'request-group') return [];
    const { least, most } = boundsOf(index.topology(), wanted);
    return [
      {
        from: from.name,
        within: most === Infinity ? undefined : nearness(type, most),
        beyond: least <= 0 ? undefined : nearness(type, least - 1),
      },
    ];
  };
  const rules = new Map(
    groups.map((group) => {
      const own = (group.distances ?? []).flatMap(ruleOf);
      return [group, Map.groupBy(own, ({ from }) => from)] as const;
    }),
  );
  const between = (group: RequestGroup, { name }: RequestGroup): readonly Rule[] =>
    rules.get(group)?.get(name) ?? NO_RULES;
  return {
    allow: ({ group, member, other }) =>
      between(group, other.group).every(
        ({ within, beyond }) =>
          (within === undefined || within.isNear(other.member, member)) &&
          !(beyond?.isNear(other.member, member) ?? false),
      ),
    narrow: (group, other) => {
      const all = [...between(group, other.group), ...between(other.group, group)];
      return all.find(({ within }) => within !== undefined)?.within?.around(other.member);
    },
    isApart: (group) => between(group, group).length > 0,
  };
};
