/**
 * Judges a resource by what the DMTF's schemas (DSP8010, release 2022.3) say of its type: which
 * properties it may have, of which kind each is, which it must have. Says what is wrong.
 */

export type Kind =
  | 'text'
  | 'text?'
  | 'number'
  | 'count'
  | 'flag'
  | 'time'
  | 'zone'
  | 'uuid'
  | 'mac'
  | 'uri'
  | 'link'
  | 'links'
  | 'attributes'
  | readonly string[]
  | Shape
  | { readonly list: Kind }
  /** Of any name. */
  | { readonly each: Shape };

export type Shape = {
  readonly properties: Readonly<Record<string, Kind>>;
  readonly required?: readonly string[];
};

/** Annotations that any object may have (DSP0266, payload annotations). */
const ANNOTATION = /^@(?:odata\.(?:id|type|etag|context)|Redfish\.(?:Settings|ActionInfo))$/;
const OF_PROPERTY = /^(\w+)@(?:odata\.(?:count|nextLink)|Redfish\.AllowableValues)$/;

export const faultsIn = (value: unknown, shape: Shape, path = ''): readonly string[] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [`${path} is no object`];
  }
  const names = Object.keys(value);
  const missing = (shape.required ?? []).filter((name) => !names.includes(name));
  return [
    ...missing.map((name) => `${path}/${name} is missing`),
    ...Object.entries(value).flatMap(([name, one]) => faultsOf(one, { name, shape, path })),
  ];
};

type Place = { readonly name: string; readonly shape: Shape; readonly path: string };

const faultsOf = (value: unknown, { name, shape, path }: Place): readonly string[] => {
  const here = `${path}/${name}`;
  if (ANNOTATION.test(name)) return [];
  const annotated = OF_PROPERTY.exec(name)?.[1];
  if (annotated !== undefined) {
    return shape.properties[annotated] === undefined ? [`${here} annotates nothing`] : [];
  }
  const kind = shape.properties[name];
  return kind === undefined
    ? [`${here} is no property of its type`]
    : faultsOfKind(value, kind, here);
};

const faultsOfKind = (value: unknown, kind: Kind, path: string): readonly string[] => {
  if (typeof kind === 'string') {
    return CHECKS[kind](value) ? [] : [`${path} is no ${kind}: ${JSON.stringify(value)}`];
  }
  if (isNames(kind)) {
    const isOne = typeof value === 'string' && kind.includes(value);
    return isOne ? [] : [`${path} is none of ${kind.join(', ')}: ${JSON.stringify(value)}`];
  }
  if ('properties' in kind) return faultsIn(value, kind, path);
  if ('each' in kind) {
    return Object.entries(Object(value)).flatMap(([name, one]) =>
      faultsIn(one, kind.each, `${path}/${name}`),
    );
  }
  if (!Array.isArray(value)) return [`${path} is no list`];
  return value.flatMap((one, index) => faultsOfKind(one, kind.list, `${path}/${index}`));
};

const isNames = (kind: Kind): kind is readonly string[] => Array.isArray(kind);

const isText = (value: unknown): value is string => typeof value === 'string';
const matches =
  (pattern: RegExp) =>
  (value: unknown): boolean =>
    isText(value) && pattern.test(value);

const isLink = (value: unknown): boolean => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const names = Object.keys(value);
  return names.length === 1 && '@odata.id' in value && isText(value['@odata.id']);
};

const CHECKS: Readonly<Record<Extract<Kind, string>, (value: unknown) => boolean>> = {
  text: (value) => isText(value) && value !== '',
  'text?': (value) => value === null || isText(value),
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  count: (value) => Number.isInteger(value) && Number(value) >= 0,
  flag: (value) => typeof value === 'boolean',
  time: matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/),
  zone: matches(/^[+-]\d\d:\d\d$/),
  uuid: matches(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i),
  mac: matches(/^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$/),
  uri: matches(/^\/redfish\/v1\//),
  link: isLink,
  links: (value) => Array.isArray(value) && value.every(isLink),
  attributes: (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((one) => ['string', 'number', 'boolean'].includes(typeof one)),
};
