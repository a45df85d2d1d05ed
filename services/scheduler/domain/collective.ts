/**
 * What several providers of one request group are together: what is required they hold
 * collectively, what is forbidden none of them holds, of "any" at least one holds one.
 */
import type { PropertyConstraint, RequestGroup } from './claim.ts';
import type { NumberSet } from './number-set.ts';
import { groupKey, itemKey, propertyKey, tagKey } from './postings.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import { sizeOf } from './selection.ts';
import { meets, meetsOne } from './set-constraint.ts';

export const meetsTogether = (
  index: ProviderIndex,
  group: RequestGroup,
  members: readonly Member[],
): boolean => {
  const all = (of: (member: Member) => Iterable<string>): ReadonlySet<string> =>
    new Set(members.flatMap((member) => [...of(member)]));
  return (
    meetsOne(
      all(({ shape }) => shape.capabilities),
      group.capabilities,
    ) &&
    meets(
      all(({ place }) => place.ids),
      group.providerGroups,
    ) &&
    meets(
      all(({ facts }) => facts?.tags ?? []),
      group.tags,
    ) &&
    (group.properties === undefined || meetsProperties(index, group.properties, members))
  );
};

const meetsProperties = (
  { postings }: ProviderIndex,
  wanted: PropertyConstraint,
  members: readonly Member[],
): boolean => {
  const one = (key: string) => members.some(({ n }) => postings.of(key).has(n));
  const items = [wanted.anyItems.map(itemKey), wanted.anyKeys.map(propertyKey)];
  return (
    [...wanted.requireItems.map(itemKey), ...wanted.requireKeys.map(propertyKey)].every(one) &&
    ![...wanted.forbidItems.map(itemKey), ...wanted.forbidKeys.map(propertyKey)].some(one) &&
    items.every((keys) => keys.length === 0 || keys.some(one))
  );
};

/**
 * Where the last of several providers must be because the others lack something; undefined =
 * anywhere. The same object for the same sets.
 */
export type Lacking = (
  group: RequestGroup,
  others: readonly Member[],
) => readonly NumberSet[] | undefined;

export const createLacking = ({ postings }: Pick<ProviderIndex, 'postings'>): Lacking => {
  const known = new Map<string, readonly NumberSet[]>();
  const setsOf = (keys: readonly string[]): readonly NumberSet[] => {
    const key = keys.join('\n');
    const sets = known.get(key) ?? keys.map(postings.of);
    known.set(key, sets);
    return sets;
  };
  return (group, others) => {
    const isHeld = (key: string) => others.some(({ n }) => postings.of(key).has(n));
    const lists = wantedTogether(group).filter((keys) => keys.length > 0 && !keys.some(isHeld));
    const all = lists.map(setsOf);
    return all.toSorted((a, b) => sizeOf(a) - sizeOf(b))[0];
  };
};

/** Of each list one must be held, by keys of postings; capabilities go by shape and are no part. */
export const wantedTogether = ({
  providerGroups,
  tags,
  properties,
}: RequestGroup): readonly (readonly string[])[] => {
  const items = (properties?.requireItems ?? []).map(itemKey);
  const keys = (properties?.requireKeys ?? []).map(propertyKey);
  const each = [...providerGroups.require.map(groupKey), ...tags.require.map(tagKey)];
  return [
    ...[...each, ...items, ...keys].map((key) => [key]),
    providerGroups.any.map(groupKey),
    tags.any.map(tagKey),
    (properties?.anyItems ?? []).map(itemKey),
    (properties?.anyKeys ?? []).map(propertyKey),
  ];
};
