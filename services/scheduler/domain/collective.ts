/**
 * What several providers of one request group are together: what is required they hold
 * collectively, what is forbidden none of them holds, of "any" at least one holds one.
 */
import type { PropertyConstraint, RequestGroup } from './claim.ts';
import { itemKey, propertyKey } from './postings.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
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
