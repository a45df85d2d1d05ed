import type { VersionRelation } from './deb-version.ts';

/** What we read of a package: one stanza of `apt-cache show` or of dpkg's status file. */
export type Package = {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Depends and Pre-Depends: every group must be fulfilled by one of its alternatives. */
  readonly depends: readonly (readonly Dependency[])[];
  /** Names (with a version where one is given) under which other packages may ask for this one. */
  readonly provides: readonly Dependency[];
  /** Download size in bytes; 0 in dpkg's status file, which does not know it. */
  readonly sizeBytes: number;
  /** Empty in dpkg's status file. */
  readonly sha256: string;
  /** Only dpkg's status file has a status; anything else counts as not installed. */
  readonly installed: boolean;
};

export type Dependency = {
  readonly name: string;
  readonly constraint?: { readonly relation: VersionRelation; readonly version: string };
};

/**
 * Reads deb822 text (stanzas parted by blank lines). Stanzas without a name and version are left
 * out.
 */
export const parseStanzas = (text: string): Package[] =>
  text
    .split(/\n\s*\n/)
    .map((stanza) => toPackage(fieldsOf(stanza)))
    .filter((found) => found !== undefined);

const fieldsOf = (stanza: string): ReadonlyMap<string, string> => {
  const fields = new Map<string, string>();
  let current = '';
  for (const line of stanza.split('\n')) {
    if (/^\s/.test(line)) {
      fields.set(current, `${fields.get(current) ?? ''} ${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    current = line.slice(0, colon).toLowerCase();
    fields.set(current, line.slice(colon + 1).trim());
  }
  return fields;
};

const toPackage = (fields: ReadonlyMap<string, string>): Package | undefined => {
  const name = fields.get('package');
  const version = fields.get('version');
  if (name === undefined || version === undefined) return undefined;
  return {
    name,
    version,
    architecture: fields.get('architecture') ?? '',
    depends: [
      ...parseDepends(fields.get('pre-depends') ?? ''),
      ...parseDepends(fields.get('depends') ?? ''),
    ],
    provides: parseDepends(fields.get('provides') ?? '').flat(),
    sizeBytes: Number(fields.get('size') ?? 0),
    sha256: fields.get('sha256') ?? '',
    installed: (fields.get('status') ?? '').endsWith(' installed'),
  };
};

/** `a (>= 1) | b, c:any` → [[a ≥ 1, b], [c]]. */
export const parseDepends = (text: string): Dependency[][] =>
  text
    .split(',')
    .map((group) =>
      group
        .split('|')
        .map(parseDependency)
        .filter((one) => one !== undefined),
    )
    .filter((group) => group.length > 0);

const parseDependency = (text: string): Dependency | undefined => {
  const match =
    /^\s*([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?\s*(?:\((<<|<=|=|>=|>>)\s*([^)]+)\))?/i.exec(text);
  const name = match?.[1];
  if (name === undefined) return undefined;
  const relation = relationOf(match?.[2]);
  const version = match?.[3]?.trim();
  if (relation === undefined || version === undefined) return { name };
  return { name, constraint: { relation, version } };
};

const relationOf = (text: string | undefined): VersionRelation | undefined =>
  text === '<<' || text === '<=' || text === '=' || text === '>=' || text === '>>'
    ? text
    : undefined;

/** The name under which `apt-get download` stores a package. */
export const archiveName = (found: Package): string =>
  `${found.name}_${found.version.replaceAll(':', '%3a')}_${found.architecture}.deb`;
