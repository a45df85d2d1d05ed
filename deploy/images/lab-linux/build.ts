/**
 * lab-linux: the smallest system that behaves like a machine. A distribution's own kernel, a static
 * busybox and one script, all in memory. It is made from packages that are on the host anyway, so
 * nothing has to be published.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeNewc, type NewcEntry } from '../../../services/agent/drivers/qemu/newc.ts';
import { failedPrecondition } from '../../../services/runtime/errors.ts';
import { findKernel, type Kernel } from '../../tools/program.ts';
import { collectModules, type KernelModule } from './kernel-modules.ts';

export type LabLinuxFile = {
  readonly path: string;
  /** Hexadecimal, lower case. */
  readonly sha256: string;
  readonly sizeBytes: number;
};

export type LabLinux = {
  readonly kernel: LabLinuxFile;
  readonly initrd: LabLinuxFile;
  readonly kernelRelease: string;
};

export type LabLinuxSources = {
  /**
   * Where a Debian or Ubuntu linux-image package (and linux-modules, where that is apart) was
   * unpacked, or "/" for one that is installed. Of several the newest is taken.
   */
  readonly kernelPackageDir: string;
  /** A static busybox for the guest's architecture that also runs here. */
  readonly busybox: string;
  /** Made when absent; receives `vmlinuz` and `initrd.img`, each replaced at once. */
  readonly outputDir: string;
  readonly log: { readonly info: (data: object, message: string) => void };
  readonly signal?: AbortSignal;
};

/**
 * The kernel command line lab-linux wants. `loglevel=6` keeps the "Linux version" line, which tells
 * that a kernel runs, and leaves out the 300 lines after it, which cost half a second on an
 * emulated serial port. The last three save a tenth of the time to boot.
 */
export const LAB_LINUX_COMMAND_LINE =
  'console=ttyS0 loglevel=6 panic=10 cryptomgr.notests audit=0 rcupdate.rcu_expedited=1';

const MODULES = ['virtio_pci', 'virtio_net', 'virtio_blk', 'button', 'evdev'] as const;
const DIRECTORIES = [
  'bin',
  'dev',
  'etc',
  'lib',
  'lib/modules',
  'proc',
  'root',
  'run',
  'sys',
  'tmp',
];

/**
 * Builds kernel and initramfs from an unpacked kernel package. The same sources give the same
 * bytes. Throws DomainErrors KERNEL_PACKAGE_INCOMPLETE, KERNEL_MODULE_MISSING and
 * KERNEL_MODULE_UNREADABLE.
 */
export const buildLabLinux = async (sources: LabLinuxSources): Promise<LabLinux> => {
  const { release, image: kernelPath, modulesDir } = requireKernel(sources.kernelPackageDir);
  const modules = await collectModules({
    modulesDir,
    wanted: MODULES,
    busybox: sources.busybox,
    ...(sources.signal === undefined ? {} : { signal: sources.signal }),
  });
  const archive = encodeNewc([
    ...DIRECTORIES.map((path) => directory(path)),
    executable('bin/busybox', await readFile(sources.busybox)),
    executable('init', await readFile(join(import.meta.dirname, 'init'))),
    executable('lib/udhcpc.script', await readFile(join(import.meta.dirname, 'udhcpc.script'))),
    ...moduleEntries(modules),
  ]);
  await mkdir(sources.outputDir, { recursive: true });
  // Not compressed: 2 MB more to copy, but an emulated processor boots 0.3 s sooner.
  const image = {
    kernel: await replaceFile(join(sources.outputDir, 'vmlinuz'), await readFile(kernelPath)),
    initrd: await replaceFile(join(sources.outputDir, 'initrd.img'), archive),
    kernelRelease: release,
  };
  sources.log.info(
    { kernelRelease: release, modules: modules.length, initrdBytes: image.initrd.sizeBytes },
    'lab-linux built',
  );
  return image;
};

const directory = (path: string): NewcEntry => ({ kind: 'directory', path, mode: 0o755 });

const executable = (path: string, content: Buffer): NewcEntry => ({
  kind: 'file',
  path,
  mode: 0o755,
  content,
});

const moduleEntries = (modules: readonly KernelModule[]): NewcEntry[] => {
  const order = modules.map(({ name }) => `${name}.ko\n`).join('');
  return [
    { kind: 'file', path: 'lib/modules/order', mode: 0o644, content: Buffer.from(order) },
    ...modules.map(
      ({ name, content }): NewcEntry => ({
        kind: 'file',
        path: `lib/modules/${name}.ko`,
        mode: 0o644,
        content,
      }),
    ),
  ];
};

const requireKernel = (dir: string): Kernel => {
  // A kernel for virtual machines first: a generic one boots three times slower when emulated.
  const kernel = findKernel(dir, /cloud|kvm|virtual/) ?? findKernel(dir);
  if (kernel !== undefined) return kernel;
  throw failedPrecondition(
    'KERNEL_PACKAGE_INCOMPLETE',
    `No readable boot/vmlinuz-<release> with its lib/modules/<release> in "${dir}"`,
    { metadata: { dir } },
  );
};

const replaceFile = async (path: string, content: Buffer): Promise<LabLinuxFile> => {
  // A folder of its own: the same image may be built twice at once.
  const scratch = await mkdtemp(`${path}.new-`);
  try {
    await writeFile(join(scratch, 'file'), content, { mode: 0o644 });
    await rename(join(scratch, 'file'), path);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return {
    path,
    sha256: createHash('sha256').update(content).digest('hex'),
    sizeBytes: content.length,
  };
};
