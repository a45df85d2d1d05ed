import { lineAt, type Source } from './scan.ts';

/** Something that must not be in the repository. */
export type Violation = {
  readonly path: string;
  /** 0 where it concerns the file as a whole. */
  readonly line: number;
  readonly message: string;
};

export const describeViolation = ({ path, line, message }: Violation): string =>
  `${path}${line === 0 ? '' : `:${line}`} ${message}`;

const LINES_MAX = 400;
const COLUMNS_MAX = 100;

/** What a single source file must not contain; generated code is not asked. */
export const checkSource = (source: Source): Violation[] => {
  if (source.path.startsWith('gen/')) return [];
  return [...checkName(source), ...checkSize(source), ...checkBans(source)];
};

const NAMES = /^(?:index|utils|helpers|types)\.[a-z]+$/;

const checkName = ({ path }: Source): Violation[] => {
  const name = path.split('/').at(-1) ?? '';
  if (NAMES.test(name)) return [{ path, line: 0, message: 'is named after nothing it holds' }];
  const kebab = /^[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(name);
  return kebab ? [] : [{ path, line: 0, message: 'is not in kebab case' }];
};

/** An import, a text or pattern alone on its line, a test's title: whole it can be searched for. */
const UNBREAKABLE =
  /^\s*(?:(?:im|ex)port .* from '.*';|(?:[\w.]+: )?(['"`]).*\1[,;)]*|\/.*\/[a-z]*;|test\('.*', .*)$/;

const checkSize = ({ path, text }: Source): Violation[] => {
  const lines = text.trimEnd().split('\n');
  const long: Violation[] = lines.flatMap((line, i) =>
    [...line].length > COLUMNS_MAX && !UNBREAKABLE.test(line)
      ? [{ path, line: i + 1, message: `is longer than ${COLUMNS_MAX} columns` }]
      : [],
  );
  if (lines.length <= LINES_MAX) return long;
  return [...long, { path, line: 0, message: `has ${lines.length} lines, more than ${LINES_MAX}` }];
};

type Ban = {
  readonly pattern: RegExp;
  readonly message: string;
  /** Whether the ban holds in a file; absent: everywhere. */
  readonly where?: (path: string) => boolean;
};

const isRuntime = (path: string): boolean => path.startsWith('services/runtime/');
/** It runs before anything is installed, so it can import nothing of ours. */
const isBootstrap = (path: string): boolean => /^deploy\/[a-z-]+\.mjs$/.test(path);
const isInnerRing = (path: string): boolean => /^services\/.*\/?(domain|store)\//.test(path);

const BANS: readonly Ban[] = [
  {
    pattern: /(?:[:<|&,]|=>|\bas|\bextends)\s*any\b(?!\s*(?:[(:.]|\)\s*=>))/g,
    message: 'uses `any`',
  },
  { pattern: /\bas\s+unknown\s+as\b/g, message: 'casts through unknown' },
  { pattern: /\benum\s+\w+\s*\{/g, message: 'has an enum, which cannot be stripped' },
  { pattern: /\bnamespace\s+\w+\s*\{/g, message: 'has a namespace, which cannot be stripped' },
  {
    pattern: /\bexport\s+default\b/g,
    message: 'has a default export',
    where: (path) => path !== 'ava.config.js',
  },
  {
    pattern: /\bDate\s*\.\s*now\s*\(|\bnew\s+Date\s*(?:\(\s*\)|(?=[;,)\n]))/g,
    message: 'reads the time past services/runtime/clock.ts',
    where: (path) => !isRuntime(path) && !isBootstrap(path),
  },
  {
    pattern: /\bMath\s*\.\s*random\s*\(/g,
    message: 'draws chance past services/runtime/random.ts',
    where: (path) => !isRuntime(path),
  },
  {
    pattern: /(?<![.\w])set(?:Timeout|Interval)\s*\(/g,
    message: 'has a timer of its own instead of one of services/runtime/clock.ts',
    where: (path) => path.startsWith('services/') && !isRuntime(path),
  },
  {
    pattern: /\.\s*only\s*\(/g,
    message: 'keeps the other tests from running',
    where: (path) => path.startsWith('test/'),
  },
  {
    pattern: /\b(?:test|serial|failing|ava)\s*\.\s*skip\s*\(|\bneed\s*\.\s*test\s*\.\s*skip\b/g,
    message: 'leaves a test out; declare what it needs with needs()',
    where: (path) => path.startsWith('test/') && path !== 'test/needs.ts',
  },
  {
    pattern: /\bnew\s+ConnectError\b/g,
    message: 'knows RPC codes; throw a DomainError',
    where: isInnerRing,
  },
];

const checkBans = ({ path, code }: Source): Violation[] =>
  BANS.filter((ban) => ban.where === undefined || ban.where(path)).flatMap((ban) =>
    [...code.matchAll(ban.pattern)].map((match) => ({
      path,
      line: lineAt(code, match.index),
      message: ban.message,
    })),
  );
