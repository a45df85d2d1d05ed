import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../services/runtime/clock.ts';
import { archiveName, type Package, parseStanzas } from './deb-control.ts';
import { type CommandResult, runCommand } from './run-command.ts';

/**
 * apt-get and apt-cache as an ordinary user: package lists, caches and settings in folders of our
 * own, the system's sources, keys and proxies. Nothing is installed and none of the system's hooks
 * run.
 */
export type Apt = {
  /** Makes sure that there are package lists; `fresh` downloads them even if some exist. */
  readonly ensureLists: (how: { readonly fresh: boolean }) => Promise<AptOutcome>;
  /** The candidates of these packages and of everything they may depend on. */
  readonly candidates: (names: readonly string[]) => Promise<ReadonlyMap<string, Package>>;
  /** Downloads into `archivesDir`, going on where an earlier attempt ended. */
  readonly download: (packages: readonly Package[]) => Promise<AptOutcome>;
  readonly archivesDir: string;
};

export type AptOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly reason: string };

export type AptDeps = {
  /** A folder of ours; created when missing. */
  readonly dir: string;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
};

const LISTS_AGE_MAX_MS = 24 * 3_600_000;
const UPDATE_LIMIT_MS = 300_000;
const QUERY_LIMIT_MS = 120_000;
const DOWNLOAD_LIMIT_MS = 1_800_000;
const SYSTEM_LISTS = '/var/lib/apt/lists';
const INSTALLED_STATUS = '/var/lib/dpkg/status';

/** What the system knows to be installed; empty where there is no dpkg. */
export const installedPackages = async (): Promise<Package[]> => {
  try {
    const text = await readFile(INSTALLED_STATUS, 'utf8');
    return parseStanzas(text).filter((one) => one.installed);
  } catch {
    return [];
  }
};

export const openApt = async ({ dir, clock, signal }: AptDeps): Promise<Apt> => {
  const ownLists = join(dir, 'lists');
  const archivesDir = join(dir, 'archives');
  const configFile = join(dir, 'apt.conf');
  await mkdir(join(ownLists, 'partial'), { recursive: true });
  await mkdir(join(dir, 'cache', 'archives', 'partial'), { recursive: true });
  await mkdir(archivesDir, { recursive: true });
  await writeFile(configFile, await ownConfig(dir, signal));
  const isFresh = async (folder: string): Promise<boolean> =>
    (await listsAgeMs(folder, clock)) < LISTS_AGE_MAX_MS;
  let lists = (await isFresh(ownLists)) ? ownLists : SYSTEM_LISTS;
  const run = (program: string, args: readonly string[], limitMs: number): Promise<CommandResult> =>
    runCommand(program, ['-o', `Dir::State::lists=${lists}/`, ...args], {
      cwd: archivesDir,
      env: { APT_CONFIG: configFile, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
      limitMs,
      ...(signal === undefined ? {} : { signal }),
    });
  return {
    archivesDir,
    ensureLists: async ({ fresh }) => {
      if (!fresh && (await isFresh(lists))) return { kind: 'done' };
      lists = ownLists;
      const result = await run('apt-get', ['update', '-q'], UPDATE_LIMIT_MS);
      const usable = Number.isFinite(await listsAgeMs(ownLists, clock));
      if (usable && result.exitCode === 0) return { kind: 'done' };
      return { kind: 'failed', reason: reasonOf(result) };
    },
    candidates: async (names) => {
      const closure = await run(
        'apt-cache',
        ['depends', ...DEPENDS_OPTIONS, ...names],
        QUERY_LIMIT_MS,
      );
      const all = new Set([...names, ...namesInDepends(closure.stdout)]);
      const shown = await run('apt-cache', ['show', '--no-all-versions', ...all], QUERY_LIMIT_MS);
      return new Map(parseStanzas(shown.stdout).map((one) => [one.name, one]));
    },
    download: async (packages) => {
      const absent = await withoutComplete(archivesDir, packages);
      if (absent.length === 0) return { kind: 'done' };
      const wanted = absent.map((one) => `${one.name}=${one.version}`);
      const result = await run('apt-get', ['download', '-q', ...wanted], DOWNLOAD_LIMIT_MS);
      const still = await withoutComplete(archivesDir, packages);
      if (still.length === 0) return { kind: 'done' };
      return { kind: 'failed', reason: reasonOf(result) };
    },
  };
};

const DEPENDS_OPTIONS = [
  ...['--recurse', '--no-recommends', '--no-suggests', '--no-conflicts', '--no-breaks'],
  ...['--no-replaces', '--no-enhances'],
];

/**
 * Package names in the output of `apt-cache depends --recurse`; virtual ones stand in <> and are
 * left out.
 */
export const namesInDepends = (text: string): string[] => {
  const names = new Set<string>();
  for (const line of text.split('\n')) {
    const name = /^([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?$/.exec(line)?.[1];
    if (name !== undefined) names.add(name);
  }
  return [...names];
};

/**
 * The file that APT_CONFIG names is read first, so it can turn the system's configuration files
 * off; of these only what concerns downloading (proxies, certificates) is kept.
 */
const ownConfig = async (dir: string, signal: AbortSignal | undefined): Promise<string> => {
  const dump = await runCommand('apt-config', ['dump'], {
    limitMs: QUERY_LIMIT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  return [
    ...keptSettings(dump.stdout),
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::parts "/dev/null";',
    `Dir::State "${join(dir, 'state')}/";`,
    `Dir::State::status "${INSTALLED_STATUS}";`,
    `Dir::Cache "${join(dir, 'cache')}/";`,
    'APT::Sandbox::User "";',
    'Acquire::Languages "none";',
    'Acquire::Retries "2";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    '',
  ].join('\n');
};

/**
 * The lines of `apt-config dump` to carry over. Index targets and languages would only add
 * downloads.
 */
export const keptSettings = (dump: string): string[] =>
  dump
    .split('\n')
    .filter((line) => /^(Acquire|APT::Architecture)/.test(line))
    .filter(
      (line) => !/^Acquire(::(IndexTargets|Languages|CompressionTypes|Changelogs)| )/.test(line),
    );

/** The age of the newest package list; infinite when there is none. */
const listsAgeMs = async (folder: string, clock: Clock): Promise<number> => {
  let ageMs = Number.POSITIVE_INFINITY;
  try {
    for (const file of await readdir(folder)) {
      if (!/_(InRelease|Release)$/.test(file)) continue;
      // Its own time is that of the archive's release; the change time is when it came here.
      const { ctimeMs } = await stat(join(folder, file));
      ageMs = Math.min(ageMs, clock.now().getTime() - ctimeMs);
    }
    return (await readdir(folder)).some((file) => file.includes('_Packages'))
      ? ageMs
      : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
};

/** Packages whose archive is not there in full; a damaged archive is removed. */
const withoutComplete = async (
  archivesDir: string,
  packages: readonly Package[],
): Promise<Package[]> => {
  const absent: Package[] = [];
  for (const one of packages) {
    const file = join(archivesDir, archiveName(one));
    if (await hasDigest(file, one.sha256)) continue;
    await rm(file, { force: true });
    absent.push(one);
  }
  return absent;
};

const hasDigest = async (file: string, sha256: string): Promise<boolean> => {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch {
    return false;
  }
  return hash.digest('hex') === sha256;
};

/** The part of apt's output that tells people something. */
export const reasonOf = (result: CommandResult): string => {
  const told = `${result.stderr}\n${result.stdout}`
    .split('\n')
    .filter((line) => /^(E:|Err:|W: Failed)/.test(line))
    .map((line) => line.replace(/^(E|W): /, '').trim());
  const first = [...new Set(told)].slice(0, 2).join('; ');
  return first === '' ? result.stderr.trim().slice(0, 300) || `exit ${result.exitCode}` : first;
};
