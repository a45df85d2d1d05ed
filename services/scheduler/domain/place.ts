/**
 * Finds providers for a request: compile, filter shapes and members, score, choose. Pure and
 * synchronous; the same request on the same index gives the same plan.
 */
import type { ClaimSpec, RequestGroup } from './claim.ts';
import type { Asked, MemberFilter, ShapeFilter, Unmet } from './filter.ts';
import { capabilitiesFilter } from './filters/capabilities.ts';
import { freeFilter, freeReason } from './filters/free.ts';
import { namedProvidersFilter } from './filters/named-providers.ts';
import { offeredFilter } from './filters/offered.ts';
import { openFilter } from './filters/open.ts';
import { providerGroupsFilter } from './filters/provider-groups.ts';
import { tagsFilter } from './filters/tags.ts';
import type { Interval } from './hold.ts';
import type { Plan, Refusal } from './plan.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import { type Candidate, type SearchGroup, search } from './search.ts';
import { shuffleKey } from './shuffle.ts';
import { vacancyOf } from './vacancy.ts';

/** In the order in which they run and in which a refusal names them. */
const SHAPE_FILTERS: readonly ShapeFilter[] = [capabilitiesFilter, offeredFilter];
const MEMBER_FILTERS: readonly MemberFilter[] = [
  openFilter,
  namedProvidersFilter,
  providerGroupsFilter,
  tagsFilter,
  freeFilter,
];

export type PlaceRequest = {
  readonly spec: Pick<ClaimSpec, 'groups' | 'count' | 'ranking'>;
  readonly window: Interval;
  /** Decides between equals; the request id. */
  readonly seed: string;
  /** Steps that a search may take; absent = EXPANSIONS_MAX. */
  readonly expansionsMax?: number;
};

export const place = (index: ProviderIndex, request: PlaceRequest): Plan => {
  const { spec, window, seed } = request;
  const groups: SearchGroup[] = [];
  for (const group of spec.groups) {
    const asked: Asked = { group, window };
    const candidates = candidatesFor(index, asked, seed);
    if (candidates.length === 0) return { kind: 'refused', refusal: explain(index, asked) };
    groups.push({ group, candidates, isolatedFrom: isolationOf(spec.groups, group) });
  }
  const found = search({ ...spec, groups, expansionsMax: request.expansionsMax ?? EXPANSIONS_MAX });
  switch (found.kind) {
    case 'placed':
    case 'gave-up':
      return found;
    case 'none':
      return { kind: 'refused', refusal: explainTogether(index, groups, spec.count) };
  }
};

export const EXPANSIONS_MAX = 50_000;

/** The providers that can answer one placement of the group, were it the only one. */
const candidatesFor = (index: ProviderIndex, asked: Asked, seed: string): readonly Candidate[] => {
  const kept: Candidate[] = [];
  for (const shape of index.shapes()) {
    if (SHAPE_FILTERS.some((filter) => filter.unmet(shape, asked).length > 0)) continue;
    for (const member of shape.members) {
      const vacancy = once(() => vacancyOf(member, asked.window));
      if (MEMBER_FILTERS.some((filter) => filter.unmet(member, asked, vacancy).length > 0))
        continue;
      const { uid, facts } = member;
      kept.push({
        uid,
        name: facts?.name ?? '',
        offers: shape.offers,
        vacancy: vacancy(),
        order: shuffleKey(seed, uid),
      });
    }
  }
  return kept;
};

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};

/** Isolation holds both ways, whichever group names the other. */
const isolationOf = (groups: readonly RequestGroup[], group: RequestGroup): ReadonlySet<number> =>
  new Set(
    groups.flatMap((other, at) =>
      group.isolateFrom.includes(other.name) || other.isolateFrom.includes(group.name) ? [at] : [],
    ),
  );

/**
 * Counts what each constraint removed, a provider at the first that it does not meet, and looks for
 * single constraints that stand in the way. Runs only for a refusal.
 */
const explain = (index: ProviderIndex, asked: Asked): Refusal => {
  const removed = new Map<string, number>();
  const suffices = new Set<string>();
  let providers = 0;
  for (const shape of index.shapes()) {
    const ofShape = SHAPE_FILTERS.flatMap((filter) => filter.unmet(shape, asked));
    for (const member of shape.members) {
      const unmet = [...ofShape, ...unmetByMember(member, asked, ofShape)];
      providers += 1;
      const [first] = unmet;
      if (first === undefined) continue;
      removed.set(first, (removed.get(first) ?? 0) + 1);
      if (unmet.length === 1) suffices.add(first);
    }
  }
  return {
    removedBy: Object.fromEntries(removed),
    suffices: [...suffices],
    group: asked.group.name,
    providers,
  };
};

/** What is not offered cannot be free either: that is said once. */
const unmetByMember = (member: Member, asked: Asked, ofShape: Unmet): Unmet =>
  MEMBER_FILTERS.flatMap((filter) =>
    filter.unmet(member, asked, () => vacancyOf(member, asked.window)),
  ).filter((free) => !ofShape.some((reason) => free === freeReason(reason.split(' ')[0] ?? '')));

const explainTogether = (
  index: ProviderIndex,
  groups: readonly SearchGroup[],
  count: number,
): Refusal => {
  const fitting = Math.max(...groups.map(({ candidates }) => candidates.length));
  const isIsolated = groups.some(({ isolatedFrom }) => isolatedFrom.size > 0);
  const constraint = isIsolated ? `count ${count} isolated` : `count ${count} together`;
  return {
    removedBy: { [constraint]: fitting },
    suffices: [constraint],
    group: '',
    providers: index.size(),
  };
};
