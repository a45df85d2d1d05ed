import { existsSync } from 'node:fs';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../services/runtime/clock.ts';
import { type Apt, installedPackages, openApt } from './apt.ts';
import { hostArchitecture, libraryTriplet, type ToolName, toolCatalog } from './catalog.ts';
import { archiveName, type Package } from './deb-control.ts';
import { downloadProgress } from './download-progress.ts';
import { takeLock } from './file-lock.ts';
import { installCommand, isInPath } from './install-command.ts';
import { installOnSystem } from './install-on-system.ts';
import {
  findProgram,
  findUnpacked,
  type Program,
  type ReadyRecord,
  readyFileOf,
  treeOf,
} from './program.ts';
import { resolve } from './resolve.ts';
import { libraryFolders, unpackInto, writeAtomically } from './unpack.ts';

export type FetchOptions = {
  /** Everything is unpacked below this folder; created when missing. An absolute path. */
  readonly toolsDir: string;
  readonly wanted: readonly ToolName[];
  /** Whole lines for people: what is fetched, how much of it is here. */
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Installs with apt-get (as root or through sudo) instead of unpacking. Absent: false. */
  readonly installSystem?: boolean;
  /** Unpacks also what the system has, e.g. to try an unpacked tree. Absent: false. */
  readonly ignoreSystem?: boolean;
  readonly clock?: Clock;
};

export type ToolResult =
  | { readonly kind: 'found'; readonly program: Program }
  | {
      readonly kind: 'missing';
      /** One line without a full stop: why it is not here. */
      readonly reason: string;
      /** The command to type. */
      readonly cure: string;
    };

const LOCK_LIMIT_MS = 1_800_000;
/** Unpacked files, their archives and room to spare, relative to the download. */
const SPACE_FACTOR = 5;

/**
 * Brings the wanted programs: those that are installed are used, the rest is downloaded from the
 * system's package mirror as an ordinary user and unpacked below `toolsDir`. Expected failures (no
 * network, unknown package, full disk) are results, not exceptions; only `signal` and file system
 * errors throw. May be repeated after it was killed at any point, and by several processes at once.
 */
export const fetchTools = async (
  options: FetchOptions,
): Promise<ReadonlyMap<ToolName, ToolResult>> => {
  const { toolsDir, wanted, log = () => {}, signal, clock = systemClock } = options;
  const find = options.ignoreSystem === true ? findUnpacked : findProgram;
  const missing = (): ToolName[] => wanted.filter((name) => find(name, toolsDir) === undefined);
  const reasons = new Map<ToolName, string>();
  if (missing().length > 0) {
    await mkdir(toolsDir, { recursive: true });
    using _lock = await takeLock([join(toolsDir, 'lock.sqlite')], {
      limitMs: LOCK_LIMIT_MS,
      clock,
      ...(signal === undefined ? {} : { signal }),
      onWait: () => log(`tools: another process is fetching into ${toolsDir}; waiting for it`),
    });
    if (options.installSystem === true) {
      const reason = await installOnSystem(missing(), { log, signal });
      if (reason !== undefined) for (const name of missing()) reasons.set(name, reason);
    }
    const left = options.installSystem === true ? missing().filter(isKernel) : missing();
    if (left.length > 0) {
      const found = await unpackAll(left, { toolsDir, log, signal, clock });
      for (const [name, reason] of found) reasons.set(name, reason);
    }
  }
  return new Map(
    wanted.map((name) => [name, resultOf(name, find(name, toolsDir), reasons.get(name))]),
  );
};

const isKernel = (name: ToolName): boolean => name === 'kernel';

const resultOf = (
  name: ToolName,
  program: Program | undefined,
  reason: string | undefined,
): ToolResult => {
  if (program !== undefined) return { kind: 'found', program };
  return {
    kind: 'missing',
    reason: reason ?? 'its package does not hold the program',
    cure: installCommand([name]),
  };
};

type Work = {
  readonly toolsDir: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
};

type Reasons = ReadonlyMap<ToolName, string>;
type Plan = {
  readonly packages: ReadonlyMap<ToolName, readonly Package[]>;
  readonly reasons: Reasons;
};

const unpackAll = async (names: readonly ToolName[], work: Work): Promise<Reasons> => {
  const all = (reason: string): Reasons => new Map(names.map((name) => [name, reason]));
  if (hostArchitecture() === undefined) return all(`there are no packages for ${process.arch}`);
  if (!isInPath('apt-get') || !isInPath('dpkg')) return all('it is not installed');
  const { clock, signal, log } = work;
  const apt = await openApt({ dir: join(work.toolsDir, 'apt'), clock, signal });
  let lists = await apt.ensureLists({ fresh: false });
  let plan = await planFor(names, apt);
  let reasons = await downloadAndUnpack(plan, apt, work);
  if (reasons.size > 0 && lists.kind === 'done') {
    // Lists that came with the machine may name versions that the mirror no longer has.
    log('tools: reading the package lists anew');
    lists = await apt.ensureLists({ fresh: true });
    const again = names.filter((name) => reasons.has(name));
    plan = await planFor(again, apt);
    reasons = await downloadAndUnpack(plan, apt, work);
  }
  if (lists.kind === 'failed' && reasons.size > 0) return all(`no package lists: ${lists.reason}`);
  return reasons;
};

/** Per tool, so that one that this distribution lacks does not keep the others away. */
const planFor = async (names: readonly ToolName[], apt: Apt): Promise<Plan> => {
  const catalog = toolCatalog(hostArchitecture() ?? 'amd64');
  const candidates = await apt.candidates(names.flatMap((name) => catalog[name].packages.flat()));
  const installed = await installedPackages();
  const packages = new Map<ToolName, readonly Package[]>();
  const reasons = new Map<ToolName, string>();
  for (const name of names) {
    const { follow, packages: wantedPackages } = catalog[name];
    const chosen = new Map<string, Package>();
    for (const wanted of wantedPackages) {
      const input = { wanted, candidates, installed };
      const resolution = resolve(follow === undefined ? input : { ...input, follow });
      if (resolution.kind === 'unresolved') reasons.set(name, resolution.reason);
      else for (const one of resolution.packages) chosen.set(one.name, one);
    }
    if (!reasons.has(name)) packages.set(name, [...chosen.values()]);
  }
  return { packages, reasons };
};

const downloadAndUnpack = async (plan: Plan, apt: Apt, work: Work): Promise<Reasons> => {
  const { toolsDir, log, signal, clock } = work;
  const names = [...plan.packages.keys()];
  const failed = (reason: string): Reasons =>
    new Map([...plan.reasons, ...names.map((name) => [name, reason] as const)]);
  const wanted = new Map([...plan.packages.values()].flat().map((one) => [one.name, one]));
  const packages = [...wanted.values()].filter((one) => !existsSync(stampOf(toolsDir, one)));
  if (packages.length > 0) {
    const totalBytes = packages.reduce((sum, one) => sum + one.sizeBytes, 0);
    const shortage = await spaceShortage(toolsDir, totalBytes);
    if (shortage !== undefined) return failed(shortage);
    const what = `${packages.length} packages for ${names.join(', ')}`;
    const progress = downloadProgress({ what, totalBytes, dir: apt.archivesDir, log, clock });
    const downloaded = await progress.during(() => apt.download(packages));
    if (downloaded.kind === 'failed') return failed(downloaded.reason);
    for (const one of packages) {
      const archive = join(apt.archivesDir, archiveName(one));
      const target = { tree: treeOf(toolsDir), stamp: stampOf(toolsDir, one) };
      await unpackInto(archive, signal === undefined ? target : { ...target, signal });
      await rm(archive, { force: true });
    }
  }
  const triplet = libraryTriplet(hostArchitecture() ?? 'amd64');
  const libraryDirs = await libraryFolders(treeOf(toolsDir), triplet);
  for (const [name, list] of plan.packages) {
    const record: ReadyRecord = {
      packages: list.map((one) => `${one.name} ${one.version}`),
      libraryDirs,
    };
    await writeAtomically(readyFileOf(toolsDir, name), `${JSON.stringify(record, null, 2)}\n`);
  }
  return plan.reasons;
};

const stampOf = (toolsDir: string, one: Package): string =>
  join(toolsDir, 'unpacked', archiveName(one));

const spaceShortage = async (
  folder: string,
  downloadBytes: number,
): Promise<string | undefined> => {
  const { bavail, bsize } = await statfs(folder);
  const neededBytes = downloadBytes * SPACE_FACTOR;
  const freeBytes = bavail * bsize;
  if (freeBytes >= neededBytes) return undefined;
  const megabytes = (bytes: number): number => Math.ceil(bytes / 1_000_000);
  return `${folder} has ${megabytes(freeBytes)} MB free, ${megabytes(neededBytes)} MB are needed`;
};
