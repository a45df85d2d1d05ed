import type { Violation } from './source-rules.ts';

const TOP_FOLDERS = new Set(['proto', 'services', 'gen', 'deploy', 'test']);
const TOP_FILES = new Set([
  ...['tsconfig.json', 'LICENSE', 'CHANGELOG.md', 'README.md', 'package.json', 'package-lock.json'],
  ...['buf.yaml', 'buf.gen.yaml', 'biome.json', 'ava.config.js'],
]);

/** `entries`: the names at the top of the repository, folders with a `/` at their end. */
export const checkTop = (entries: readonly string[]): Violation[] =>
  entries
    .filter((entry) => !entry.startsWith('.'))
    .filter((entry) =>
      entry.endsWith('/') ? !TOP_FOLDERS.has(entry.slice(0, -1)) : !TOP_FILES.has(entry),
    )
    .map((path) => ({ path, line: 0, message: 'does not belong at the top of the repository' }));

const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

/** Versions in package.json that are not exact. */
export const checkVersions = (path: string, text: string): Violation[] => {
  const manifest: unknown = JSON.parse(text);
  return ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((group) =>
    Object.entries(objectAt(manifest, group))
      .filter(([, version]) => typeof version !== 'string' || !EXACT.test(version))
      .map(([name, version]) => ({
        path,
        line: 0,
        message: `names ${name} ${String(version)}, which is not an exact version`,
      })),
  );
};

const objectAt = (value: unknown, key: string): object => {
  if (typeof value !== 'object' || value === null) return {};
  const found: unknown = Object.entries(value).find(([name]) => name === key)?.[1];
  return typeof found === 'object' && found !== null ? found : {};
};

/** Places of one machine or one network that mean nothing to others. */
const WORDS: readonly { readonly pattern: RegExp; readonly message: string }[] = [
  { pattern: /(?<![\w./-])\/(?:home|Users)\/[a-z]/g, message: 'names somebody’s home folder' },
  { pattern: /(?<![\w./}-])\/(?:root|work|tmp)\/\w/g, message: 'names a folder of one machine' },
  { pattern: /\bregistry\.[a-z0-9-]+\.[a-z]+\b/g, message: 'names a package registry' },
  { pattern: /"resolved":\s*"https?:/g, message: 'pins where a package was downloaded' },
];

export const checkWords = (path: string, text: string): Violation[] =>
  WORDS.flatMap(({ pattern, message }) =>
    [...text.matchAll(pattern)].map((match) => ({
      path,
      line: text.slice(0, match.index).split('\n').length,
      message: `${message}: ${match[0]}`,
    })),
  );
