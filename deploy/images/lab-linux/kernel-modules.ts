/**
 * Which module files of a kernel package go into the initramfs, and in which order. `modules.dep`
 * is written when a package is installed and is absent from one that was only unpacked, so the
 * dependencies are read from the modules themselves (`depends=` in their .modinfo section).
 */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { failedPrecondition } from '../../../services/runtime/errors.ts';

const UNPACK_LIMIT_MS = 20_000;
const MODULE_BYTES_MAX = 64 * 1024 * 1024;

export type KernelModule = { readonly name: string; readonly content: Buffer };

export type ModuleSearch = {
  /** `lib/modules/<release>` of the unpacked package. */
  readonly modulesDir: string;
  readonly wanted: readonly string[];
  /** A busybox that runs here; it unpacks .ko.xz, which Node cannot. */
  readonly busybox: string;
  readonly signal?: AbortSignal;
};

/**
 * The wanted modules and what they depend on, dependencies first, unpacked. What is built into the
 * kernel is left out; what is neither there nor built in is a DomainError KERNEL_MODULE_MISSING.
 */
export const collectModules = async (search: ModuleSearch): Promise<KernelModule[]> => {
  const files = await moduleFiles(search.modulesDir);
  const builtIn = await builtInModules(search.modulesDir);
  const collected = new Map<string, KernelModule>();
  const underWay = new Set<string>();

  const collect = async (name: string, neededBy: string): Promise<void> => {
    if (underWay.has(name) || builtIn.has(name)) return;
    underWay.add(name);
    const path = files.get(name);
    if (path === undefined) {
      throw failedPrecondition(
        'KERNEL_MODULE_MISSING',
        `Kernel package has no module "${name}" (needed by ${neededBy}), and it is not built in`,
        { metadata: { module: name, modulesDir: search.modulesDir } },
      );
    }
    const content = await unpackModule(path, search);
    for (const dependency of dependenciesOf(content)) await collect(dependency, name);
    collected.set(name, { name, content });
  };

  for (const name of search.wanted) await collect(name, 'lab-linux');
  return [...collected.values()];
};

/** The names in the `depends=` line of a module's .modinfo section. */
export const dependenciesOf = (module: Buffer): string[] => {
  const start = module.indexOf('\0depends=', 0, 'latin1');
  if (start < 0) return [];
  const from = start + '\0depends='.length;
  const line = module.toString('latin1', from, module.indexOf(0, from));
  return line === '' ? [] : line.split(',').map(moduleName);
};

// A module called virtio_rng may lie in virtio-rng.ko: the kernel treats both signs alike.
const moduleName = (fileOrName: string): string =>
  basename(fileOrName)
    .replace(/\.ko(\.(gz|xz|zst))?$/, '')
    .replaceAll('-', '_');

const moduleFiles = async (modulesDir: string): Promise<Map<string, string>> => {
  const files = new Map<string, string>();
  for (const entry of await readdir(modulesDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.ko(\.(gz|xz|zst))?$/.test(entry.name)) continue;
    files.set(moduleName(entry.name), join(entry.parentPath, entry.name));
  }
  return files;
};

const builtInModules = async (modulesDir: string): Promise<Set<string>> => {
  const path = join(modulesDir, 'modules.builtin');
  try {
    const lines = (await readFile(path, 'utf8')).split('\n');
    return new Set(lines.filter((line) => line !== '').map(moduleName));
  } catch (cause) {
    throw failedPrecondition(
      'KERNEL_PACKAGE_INCOMPLETE',
      `Kernel package has no list of built-in modules at "${path}"`,
      { metadata: { path }, cause },
    );
  }
};

const unpackModule = async (path: string, search: ModuleSearch): Promise<Buffer> => {
  if (path.endsWith('.xz')) return unpackXz(path, search);
  const content = await readFile(path);
  if (path.endsWith('.zst')) return zstdDecompressSync(content);
  if (path.endsWith('.gz')) return gunzipSync(content);
  return content;
};

const unpackXz = async (path: string, search: ModuleSearch): Promise<Buffer> => {
  try {
    const { stdout } = await promisify(execFile)(search.busybox, ['unxz', '-c', path], {
      encoding: 'buffer',
      maxBuffer: MODULE_BYTES_MAX,
      timeout: UNPACK_LIMIT_MS,
      ...(search.signal === undefined ? {} : { signal: search.signal }),
    });
    return stdout;
  } catch (cause) {
    throw failedPrecondition(
      'KERNEL_MODULE_UNREADABLE',
      `Cannot unpack module "${path}" with "${search.busybox} unxz"`,
      { metadata: { path }, cause },
    );
  }
};
