/**
 * How far providers are from groups and from each other, as sets: all that are within a position.
 * The smallest distance that is known in any way counts. It is known from a provider to a group,
 * from group to group both ways, and by kind: what shares a rack is at most as far apart as the
 * step says that goes with racks.
 */
import type { DistanceFrom } from './claim.ts';
import { NumberSet } from './number-set.ts';
import { withAbove } from './places.ts';
import { distanceKey, groupKey } from './postings.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { DistanceStep, Topology } from './topology.ts';

export type Near = {
  readonly type: string;
  readonly from: DistanceFrom;
  /** Positions up to this one count as near. */
  readonly position: number;
};

/** Providers within the position are in one of these sets. */
export const nearSets = (index: ProviderIndex, near: Near): readonly NumberSet[] => {
  const { from } = near;
  switch (from.kind) {
    case 'provider-group': {
      const { groups } = index.topology();
      return [
        ...(near.position >= 0 ? [index.postings.of(groupKey(from.id))] : []),
        ...nearGroups(index, near, { own: [from.id], around: withAbove(groups, [from.id]) }),
      ];
    }
    case 'provider': {
      const member = index.find(from.uid);
      return member === undefined ? [] : nearMember(index, near, member);
    }
    case 'consumer':
      return [...index.heldBy(from.uid)].flatMap((n) => nearMember(index, near, index.member(n)));
    case 'request-group':
      return [];
  }
};

/** Providers within the position of this one, itself included. */
const nearMember = (
  index: ProviderIndex,
  near: Pick<Near, 'type' | 'position'>,
  member: Member,
): readonly NumberSet[] => {
  const self = new NumberSet();
  self.add(member.n);
  return [
    ...(near.position >= 0 ? [self] : []),
    ...nearExplicit(index, near, member),
    ...nearPlace(index, near, member.place.ids),
  ];
};

/** Of them those that a distance of its own brings near. */
export const nearExplicit = (
  { postings, topology }: ProviderIndex,
  near: Pick<Near, 'type' | 'position'>,
  { facts }: Member,
): readonly NumberSet[] => {
  if (facts?.distances === undefined) return [];
  const steps = stepsWithin(topology(), near);
  return facts.distances
    .filter(({ type, step }) => type === near.type && steps.some(({ code }) => code === step))
    .map(({ group }) => postings.of(groupKey(group)));
};

/** Of them those that are near to whatever is in these groups. */
export const nearPlace = (
  index: ProviderIndex,
  near: Pick<Near, 'type' | 'position'>,
  ids: ReadonlySet<string>,
): readonly NumberSet[] => nearGroups(index, near, { own: ids, around: ids });

type Groups = {
  /** From which explicit distances are measured. */
  readonly own: Iterable<string>;
  /** Groups that have a place in common with what lies in them. */
  readonly around: Iterable<string>;
};

const nearGroups = (
  index: ProviderIndex,
  near: Pick<Near, 'type' | 'position'>,
  { own, around }: Groups,
): readonly NumberSet[] => {
  const { postings } = index;
  const topology = index.topology();
  const steps = stepsWithin(topology, near);
  const found: NumberSet[] = [];
  const kinds = new Set(steps.flatMap(({ sharedKind }) => sharedKind ?? []));
  for (const id of around) {
    const kind = topology.groups.get(id)?.kind;
    if (kind !== undefined && kinds.has(kind)) found.push(postings.of(groupKey(id)));
  }
  for (const id of own) {
    for (const { code } of steps) {
      found.push(postings.of(distanceKey({ type: near.type, group: id, step: code })));
    }
    for (const { group, step } of neighboursOf(topology, near.type, id)) {
      if (steps.some(({ code }) => code === step)) found.push(postings.of(groupKey(group)));
    }
  }
  return found.filter(({ size }) => size > 0);
};

const stepsWithin = (
  { distanceTypes }: Topology,
  { type, position }: Pick<Near, 'type' | 'position'>,
): readonly DistanceStep[] =>
  (distanceTypes.get(type)?.steps ?? []).filter((step) => step.position <= position);

type Neighbour = { readonly group: string; readonly step: string };

const graphs = new WeakMap<Topology, ReadonlyMap<string, readonly Neighbour[]>>();

/** Groups to which a distance was stated, from either side. */
const neighboursOf = (topology: Topology, type: string, id: string): readonly Neighbour[] => {
  const known = graphs.get(topology) ?? graphOf(topology);
  graphs.set(topology, known);
  return known.get(`${type} ${id}`) ?? [];
};

const graphOf = ({ groups }: Topology): ReadonlyMap<string, readonly Neighbour[]> => {
  const graph = new Map<string, Neighbour[]>();
  const put = (type: string, from: string, neighbour: Neighbour): void => {
    const key = `${type} ${from}`;
    const those = graph.get(key) ?? [];
    graph.set(key, those);
    those.push(neighbour);
  };
  for (const { id, distances } of groups.values()) {
    for (const { type, group, step } of distances) {
      put(type, id, { group, step });
      if (group !== id) put(type, group, { group: id, step });
    }
  }
  return graph;
};

/** Providers of which a consumer, or a claim, holds something. */
export const heldByConsumer = (index: ProviderIndex, uid: string): NumberSet => {
  const set = new NumberSet();
  for (const n of index.heldBy(uid)) set.add(n);
  return set;
};
