import type { Place } from './access.ts';

/**
 * The variables of a name pattern: Variables<"partitions/{partition}/racks/{rack}"> is { partition,
 * rack }.
 */
export type Variables<P extends string> = P extends `${string}{${infer V}}${infer Rest}`
  ? { readonly [K in V]: string } & Variables<Rest>
  : Readonly<Record<never, string>>;

export type NamePattern<P extends string> = {
  readonly pattern: P;
  /**
   * The variables, or undefined when the text is no such name. A parent may be "-" (see
   * `isWildcard`).
   */
  readonly parse: (name: string) => Variables<P> | undefined;
  readonly format: (variables: Variables<P>) => string;
};

const ID = '[A-Za-z0-9](?:[A-Za-z0-9._@:-]{0,126}[A-Za-z0-9])?';
const UID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The wildcard that reads across all parents that the caller may see. */
export const ANY = '-';
export const isWildcard = (id: string): boolean => id === ANY;

/** True for a uid; every verb that takes a name also takes one. */
export const isUid = (text: string): boolean => UID.test(text);

/**
 * Parser and formatter of one resource name pattern, for example
 * `namePattern('partitions/{partition}/projects/{project}/machines/{machine}')`.
 */
export const namePattern = <P extends string>(pattern: P): NamePattern<P> => {
  const variables: string[] = [];
  const source = pattern
    .split('/')
    .map((segment) =>
      segment.replace(/\{(\w+)\}/g, (_, variable: string) => {
        variables.push(variable);
        return `(?<${variable}>-|${ID})`;
      }),
    )
    .join('/');
  const expression = new RegExp(`^${source}$`);
  const isComplete = (groups: Readonly<Record<string, string>>): groups is Variables<P> =>
    variables.every((variable) => groups[variable] !== undefined);
  return {
    pattern,
    parse: (name) => {
      const groups = name.length > 512 ? undefined : expression.exec(name)?.groups;
      return groups !== undefined && isComplete(groups) ? groups : undefined;
    },
    format: (given) => {
      const values: Readonly<Record<string, string>> = given;
      return pattern.replace(/\{(\w+)\}/g, (_, variable: string) => values[variable] ?? '');
    },
  };
};

/**
 * Partition and project that a resource name says, whatever its noun:
 * "partitions/{p}/projects/{q}/…", "partitions/{p}/…", "projects/{q}/…". A wildcard, a uid or
 * another name says neither.
 */
export const placeOf = (name: string): Place => {
  const [first, firstId, second, secondId] = name.split('/', 4);
  const id = (text: string | undefined): string | undefined =>
    text === undefined || text === '' || isWildcard(text) ? undefined : text;
  if (first === 'projects') return { project: id(firstId) };
  if (first !== 'partitions') return {};
  return second === 'projects'
    ? { partition: id(firstId), project: id(secondId) }
    : { partition: id(firstId) };
};
