import type { PropertyItem } from '../claim.ts';
import { anyOf, type Constraint, type Filter, noneOf } from '../constraint.ts';
import { itemKey, propertyKey } from '../postings.ts';

/** Keeps providers with the schedulable properties that are asked for. */
export const propertiesFilter: Filter = {
  name: 'properties',
  constraints: ({ group: { properties }, isPart }, { postings }) => {
    if (properties === undefined) return [];
    const item = (one: PropertyItem) => postings.of(itemKey(one));
    const key = (one: string) => postings.of(propertyKey(one));
    const { requireItems, requireKeys, forbidItems, forbidKeys, anyItems, anyKeys } = properties;
    const forbidden: readonly Constraint[] = [
      ...forbidItems.map((one) => noneOf(`no property ${words(one)}`, [item(one)])),
      ...forbidKeys.map((one) => noneOf(`no property ${one}`, [key(one)])),
    ];
    if (isPart) return forbidden;
    return [
      ...requireItems.map((one) => anyOf(`property ${words(one)}`, [item(one)])),
      ...requireKeys.map((one) => anyOf(`property ${one}`, [key(one)])),
      ...forbidden,
      ...(anyItems.length === 0
        ? []
        : [anyOf(`property ${anyItems.map(words).join(' or ')}`, anyItems.map(item))]),
      ...(anyKeys.length === 0
        ? []
        : [anyOf(`property ${anyKeys.join(' or ')}`, anyKeys.map(key))]),
    ];
  },
};

const words = ({ key, value }: PropertyItem): string => `${key}=${String(value.value)}`;
