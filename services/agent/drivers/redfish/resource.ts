/**
 * Reading JSON that a controller sent: nothing in it is believed to be there or to be of the type
 * that the schema says. Firmware leaves out, misspells and puts numbers into texts.
 */

export type Resource = Readonly<Record<string, unknown>>;

/** The object itself, or an empty one. */
export const asResource = (value: unknown): Resource =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};

/** What is found along the path; undefined where it ends early. Own properties only. */
export const at = (value: unknown, ...path: readonly string[]): unknown => {
  let here = value;
  for (const name of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, name)) return undefined;
    here = Reflect.get(here, name);
  }
  return here;
};

/** Trimmed; empty = it is not there or no text. */
export const textAt = (value: unknown, ...path: readonly string[]): string => {
  const found = at(value, ...path);
  if (typeof found === 'number' && Number.isFinite(found)) return String(found);
  return typeof found === 'string' ? found.trim() : '';
};

export const numberAt = (value: unknown, ...path: readonly string[]): number | undefined => {
  const found = at(value, ...path);
  if (typeof found === 'number') return Number.isFinite(found) ? found : undefined;
  if (typeof found !== 'string' || found.trim() === '') return undefined;
  const parsed = Number(found);
  return Number.isFinite(parsed) ? parsed : undefined;
};

export const flagAt = (value: unknown, ...path: readonly string[]): boolean | undefined => {
  const found = at(value, ...path);
  return typeof found === 'boolean' ? found : undefined;
};

export const listAt = (value: unknown, ...path: readonly string[]): readonly unknown[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
};

export const textsAt = (value: unknown, ...path: readonly string[]): readonly string[] =>
  listAt(value, ...path).filter((one) => typeof one === 'string');

/** The `@odata.id` of what is found there; empty = there is no link. */
export const linkAt = (value: unknown, ...path: readonly string[]): string => {
  const found = at(value, ...path);
  return typeof found === 'string' ? found.trim() : textAt(found, '@odata.id');
};

export const linksAt = (value: unknown, ...path: readonly string[]): readonly string[] =>
  listAt(value, ...path)
    .map((one) => textAt(one, '@odata.id'))
    .filter((link) => link !== '');

/** Whether more than a link to it was sent. */
export const isWhole = (value: unknown): boolean =>
  Object.keys(asResource(value)).some((name) => !name.startsWith('@'));

/** An empty place has a resource, too. */
export const isThere = (part: unknown): boolean => textAt(part, 'Status', 'State') !== 'Absent';
