import { accessSync, constants, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import {
  type HostArchitecture,
  hostArchitecture,
  libraryTriplet,
  type ProgramName,
  qemuBinary,
  type ToolName,
  toolOf,
} from './catalog.ts';
import { isStaticElf } from './elf.ts';

/**
 * A program as it must be started: `spawn(path, [...args, ...yours], { env: { ...process.env,
 * ...env } })`. For `kernel`, `path` is a directory that holds boot/ and lib/modules/ (see
 * `findKernel`).
 */
export type Program = {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly source: 'system' | 'unpacked';
  /**
   * Set where the program refuses to run as root and we are root: pass both to spawn and own its
   * files so.
   */
  readonly runAs?: { readonly uid: number; readonly gid: number };
};

/** Folders that are often missing from an ordinary user's PATH. */
const WELL_KNOWN = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/sbin', '/usr/sbin', '/sbin'];
const SYSTEM_PYTHON = '/usr/bin/python3';
/** Tools that are modules of Python, by the folders that they consist of. */
const PYTHON_MODULES: ReadonlyMap<ProgramName, readonly string[]> = new Map([
  ['python3-grpcio', ['grpc', 'grpc_tools', 'google/protobuf']],
  ['python3-sushy', ['sushy', 'redfishtoollib', 'requests']],
  ['python3-pyghmi', ['pyghmi', 'cryptography', 'dateutil']],
]);
const NOBODY = 65_534;
const HOMEBREW = ['/opt/homebrew/bin', '/opt/homebrew/opt/postgresql/bin'];

/**
 * Finds a program in PATH and the well-known places, else in the unpacked tree under `toolsDir`;
 * undefined when it is in neither. Reads the file system only: nothing is started.
 */
export const findProgram = (name: ProgramName, toolsDir?: string): Program | undefined =>
  findOnSystem(name) ?? (toolsDir === undefined ? undefined : findUnpacked(name, toolsDir));

/** As findProgram, but what the system has does not count. */
export const findUnpacked = (name: ProgramName, toolsDir: string): Program | undefined => {
  const found = findInTree(name, toolsDir);
  return found === undefined ? undefined : { ...found, ...runAsOf(name) };
};

/** The record that says a tool is unpacked in full; written last. */
export type ReadyRecord = {
  readonly packages: readonly string[];
  /** Library folders relative to the tree. */
  readonly libraryDirs: readonly string[];
};

export const treeOf = (toolsDir: string): string => join(toolsDir, 'root');
export const readyFileOf = (toolsDir: string, tool: ToolName): string =>
  join(toolsDir, 'ready', `${tool}.json`);

const findOnSystem = (name: ProgramName): Program | undefined => {
  const found = (path: string): Program => ({
    ...{ path, args: [], env: {}, source: 'system' },
    ...runAsOf(name),
  });
  if (name === 'kernel') {
    // A generic kernel boots three times slower in an emulated machine, so only a cloud kernel
    // counts.
    const kernel = findKernel('/', /cloud|kvm/);
    return kernel === undefined ? undefined : found('/');
  }
  const modules = PYTHON_MODULES.get(name);
  if (modules !== undefined) {
    const complete = modules.every((one) =>
      isDirectory(join('/usr/lib/python3/dist-packages', one)),
    );
    return isExecutable(SYSTEM_PYTHON) && complete ? found(SYSTEM_PYTHON) : undefined;
  }
  const folders = [...systemFolders(), ...postgresFolders('/usr/lib/postgresql')];
  const path = search(binaryOf(name), folders, name === 'busybox' ? isStaticElf : undefined);
  return path === undefined ? undefined : found(path);
};

const findInTree = (name: ProgramName, toolsDir: string): Program | undefined => {
  const ready = readReady(readyFileOf(toolsDir, toolOf(name)));
  if (ready === undefined) return undefined;
  const root = treeOf(toolsDir);
  if (name === 'kernel') {
    if (findKernel(root) === undefined) return undefined;
    return { path: root, args: [], env: {}, source: 'unpacked' };
  }
  const env = libraryEnv(root, ready);
  if (PYTHON_MODULES.has(name)) return unpackedPython(root, env);
  const folders = [
    ...['usr/bin', 'bin', 'usr/sbin', 'sbin', 'usr/lib/chromium'].map((one) => join(root, one)),
    ...postgresFolders(join(root, 'usr/lib/postgresql')),
  ];
  // Debian's chromium in usr/bin is a script with absolute paths; the program itself lies in
  // usr/lib.
  const path = search(binaryOf(name), name === 'chromium' ? folders.toReversed() : folders);
  if (path === undefined) return undefined;
  if (name !== 'qemu') return { path, args: [], env, source: 'unpacked' };
  return { path, ...qemuExtras(root, env), source: 'unpacked' };
};

/** PostgreSQL refuses uid 0: its own user where there is one, else nobody. */
const runAsOf = (name: ProgramName): Pick<Program, 'runAs'> => {
  if (toolOf(name) !== 'postgres' || process.getuid?.() !== 0) return {};
  const entries = readText('/etc/passwd').split('\n');
  const entry = ['postgres', 'nobody']
    .map((user) => entries.find((line) => line.startsWith(`${user}:`)))
    .find((line) => line !== undefined);
  const [, , uid, gid] = (entry ?? '::65534:65534').split(':').map(Number);
  return { runAs: { uid: uid ?? NOBODY, gid: gid ?? NOBODY } };
};

/**
 * The modules belong to the distribution's own interpreter; another python3 in PATH cannot load
 * them.
 */
const unpackedPython = (root: string, env: Program['env']): Program | undefined => {
  const PYTHONPATH = join(root, 'usr/lib/python3/dist-packages');
  if (isExecutable(SYSTEM_PYTHON)) {
    return { path: SYSTEM_PYTHON, args: [], env: { ...env, PYTHONPATH }, source: 'unpacked' };
  }
  const path = join(root, SYSTEM_PYTHON);
  if (!isExecutable(path)) return undefined;
  const PYTHONHOME = join(root, 'usr');
  return { path, args: [], env: { ...env, PYTHONPATH, PYTHONHOME }, source: 'unpacked' };
};

const binaryOf = (name: ProgramName): string => {
  const arch = hostArchitecture();
  // A tool that is no program by itself is told by the one that brings it.
  if (name === 'openipmi') return 'ipmi_sim';
  if (name === 'freeipmi') return 'ipmipower';
  if (name !== 'qemu') return name;
  return arch === undefined ? 'qemu-system-x86_64' : qemuBinary(arch);
};

/** Firmware and modules, which qemu would look for under absolute paths. */
const qemuExtras = (
  root: string,
  env: Program['env'],
): { readonly args: readonly string[]; readonly env: Program['env'] } => {
  const folders = ['usr/share/qemu', 'usr/share/seabios', 'usr/lib/ipxe/qemu'];
  const arch = hostArchitecture();
  const modules = arch === undefined ? {} : { QEMU_MODULE_DIR: moduleFolder(root, arch) };
  return {
    args: folders.flatMap((one) => ['-L', join(root, one)]),
    env: { ...env, ...modules },
  };
};

const moduleFolder = (root: string, arch: HostArchitecture): string =>
  join(root, 'usr/lib', libraryTriplet(arch), 'qemu');

const libraryEnv = (root: string, ready: ReadyRecord): Program['env'] => {
  if (ready.libraryDirs.length === 0) return {};
  const before = process.env.LD_LIBRARY_PATH;
  const own = ready.libraryDirs.map((one) => join(root, one));
  const all = before === undefined || before === '' ? own : [...own, before];
  return { LD_LIBRARY_PATH: all.join(':') };
};

/** Where a kernel lies in a tree: image, modules and release, e.g. `6.1.0-18-cloud-amd64`. */
export type Kernel = {
  readonly release: string;
  readonly image: string;
  readonly modulesDir: string;
};

/**
 * The newest readable kernel of a tree (`Program.path` of `kernel`) that has its modules beside it.
 */
export const findKernel = (root: string, only?: RegExp): Kernel | undefined => {
  const releases = list(join(root, 'boot'))
    .map((file) => /^vmlinuz-(.+)$/.exec(file)?.[1])
    .filter((release) => release !== undefined)
    .filter((release) => only === undefined || only.test(release))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  for (const release of releases) {
    const image = join(root, 'boot', `vmlinuz-${release}`);
    // Newer packages have usr/lib/modules.
    const modulesDir = ['lib/modules', 'usr/lib/modules']
      .map((folder) => join(root, folder, release))
      .find(isDirectory);
    if (modulesDir !== undefined && isReadable(image)) return { release, image, modulesDir };
  }
  return undefined;
};

const systemFolders = (): readonly string[] => {
  const fromPath = (process.env.PATH ?? '').split(delimiter).filter((one) => one !== '');
  return [...fromPath, ...WELL_KNOWN, ...HOMEBREW];
};

/** Newest version first. */
const postgresFolders = (base: string): readonly string[] =>
  list(base)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(base, version, 'bin'));

const search = (
  binary: string,
  folders: readonly string[],
  accept: (path: string) => boolean = () => true,
): string | undefined =>
  folders.map((folder) => join(folder, binary)).find((path) => isExecutable(path) && accept(path));

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

const isReadable = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK);
    return lstatSync(path).size > 0;
  } catch {
    return false;
  }
};

const isDirectory = (path: string): boolean => {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
};

const list = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

const readReady = (file: string): ReadyRecord | undefined => {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return isReadyRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
};

const isReadyRecord = (value: unknown): value is ReadyRecord =>
  typeof value === 'object' &&
  value !== null &&
  'packages' in value &&
  Array.isArray(value.packages) &&
  'libraryDirs' in value &&
  Array.isArray(value.libraryDirs);
