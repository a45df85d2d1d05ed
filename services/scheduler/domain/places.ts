/**
 * In which groups a provider is: those that it names, all in which these lie, and those of the
 * provider of which it is a part. Providers of one rack share one object.
 */
import { groupKey, kindKey } from './postings.ts';
import type { GroupFacts, Topology } from './topology.ts';

export type Place = {
  /** Ids, lower case; also of groups that the topology does not know (yet). */
  readonly ids: ReadonlySet<string>;
  /** Keys of its postings. */
  readonly keys: readonly string[];
};

export type Places = {
  readonly of: (ownGroups: ReadonlySet<string>, whole: Place | undefined) => Place;
  /** Other groups; what is none of those that changed keeps its object. */
  readonly change: (topology: Topology, changed: ReadonlySet<string>) => void;
};

export const createPlaces = (topology: Topology): Places => {
  let { groups } = topology;
  let bySet = new WeakMap<ReadonlySet<string>, Place>();
  let byIds = new Map<string, Place>();
  const placeOf = (ids: ReadonlySet<string>): Place => {
    const text = [...ids].sort().join('\n');
    const known = byIds.get(text);
    if (known !== undefined) return known;
    const kinds = new Set<string>();
    for (const id of ids) {
      const kind = groups.get(id)?.kind;
      if (kind !== undefined) kinds.add(kind);
    }
    const place: Place = {
      ids,
      keys: [...[...ids].map(groupKey), ...[...kinds].map(kindKey)],
    };
    byIds.set(text, place);
    return place;
  };
  return {
    of: (ownGroups, whole) => {
      if (whole !== undefined) {
        return placeOf(new Set([...withAbove(groups, ownGroups), ...whole.ids]));
      }
      const known = bySet.get(ownGroups) ?? placeOf(withAbove(groups, ownGroups));
      bySet.set(ownGroups, known);
      return known;
    },
    change: (next, changed) => {
      groups = next.groups;
      bySet = new WeakMap();
      byIds = new Map([...byIds].filter(([, { ids }]) => changed.isDisjointFrom(ids)));
    },
  };
};

/** Ids of the groups that lie elsewhere now, are of another kind, came or went. */
export const changedGroups = (before: Topology, after: Topology): ReadonlySet<string> => {
  const changed = new Set<string>();
  for (const [id, { kind, parent }] of after.groups) {
    const was = before.groups.get(id);
    if (was?.kind !== kind || was.parent !== parent) changed.add(id);
  }
  for (const id of before.groups.keys()) if (!after.groups.has(id)) changed.add(id);
  return changed;
};

/** The groups and all in which they lie. */
export const withAbove = (
  groups: ReadonlyMap<string, GroupFacts>,
  ids: Iterable<string>,
): ReadonlySet<string> => {
  const all = new Set<string>();
  for (const id of ids) {
    for (let at: string | undefined = id; at !== undefined && !all.has(at); ) {
      all.add(at);
      at = groups.get(at)?.parent;
    }
  }
  return all;
};
