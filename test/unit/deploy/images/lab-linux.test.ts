import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import { buildLabLinux } from '../../../../deploy/images/lab-linux/build.ts';
import { collectModules } from '../../../../deploy/images/lab-linux/kernel-modules.ts';
import { decodeNewc } from '../../../../services/agent/drivers/qemu/newc.ts';
import { silentLog as log } from '../../../support/silent-log.ts';
import { temporaryDir } from '../../../support/temporary-dir.ts';

/** What matters of a module file: the strings of its .modinfo section. */
const moduleFile = (depends: string): Buffer =>
  Buffer.from(`\x7fELF\0license=GPL\0depends=${depends}\0intree=Y\0`, 'latin1');

const MODULES = {
  'virtio/virtio_pci.ko': moduleFile('virtio,virtio-ring'),
  'virtio/virtio.ko': moduleFile('virtio_ring'),
  'virtio/virtio-ring.ko.zst': zstdCompressSync(moduleFile('')),
  'net/virtio_net.ko.gz': gzipSync(moduleFile('virtio,net_failover')),
  'net/net_failover.ko': moduleFile(''),
  'block/virtio_blk.ko': moduleFile('virtio'),
  'acpi/button.ko': moduleFile(''),
};

type Files = Readonly<Record<string, Buffer | string>>;

const kernelPackage = async (modules: Files = MODULES, more: Files = {}) => {
  const dir = temporaryDir();
  const release = '6.9-cloud';
  const files: Files = {
    [`boot/vmlinuz-${release}`]: 'kernel',
    [`lib/modules/${release}/modules.builtin`]: 'kernel/drivers/input/evdev.ko\n',
    ...Object.fromEntries(
      Object.entries(modules).map(([path, content]) => [
        `lib/modules/${release}/kernel/drivers/${path}`,
        content,
      ]),
    ),
    busybox: '#!/bin/sh\nexec cat "$3"\n',
    ...more,
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir.path, path)), { recursive: true });
    await writeFile(join(dir.path, path), content);
  }
  await chmod(join(dir.path, 'busybox'), 0o755);
  const sources = {
    kernelPackageDir: dir.path,
    busybox: join(dir.path, 'busybox'),
    outputDir: join(dir.path, 'out'),
    log,
  };
  const modulesDir = join(dir.path, 'lib/modules', release);
  return { dir, sources, modulesDir, [Symbol.dispose]: () => dir[Symbol.dispose]() };
};

test('the initramfs holds busybox, the scripts and the modules in order', async (t) => {
  using it = await kernelPackage();
  const image = await buildLabLinux(it.sources);
  t.is(image.kernelRelease, '6.9-cloud');
  t.is(await readFile(image.kernel.path, 'utf8'), 'kernel');
  t.is(image.kernel.sizeBytes, 6);
  const entries = decodeNewc(await readFile(image.initrd.path));
  const textOf = (path: string) => {
    const found = entries.find((entry) => entry.path === path);
    return found?.kind === 'file' ? Buffer.from(found.content).toString('latin1') : undefined;
  };
  t.is(
    textOf('lib/modules/order'),
    'virtio_ring.ko\nvirtio.ko\nvirtio_pci.ko\nnet_failover.ko\nvirtio_net.ko\n' +
      'virtio_blk.ko\nbutton.ko\n',
  );
  t.is(textOf('lib/modules/virtio_ring.ko'), moduleFile('').toString('latin1'), 'unpacked');
  t.true(textOf('init')?.startsWith('#!/bin/busybox sh\n'));
  t.true(textOf('lib/udhcpc.script')?.includes('ip addr add'));
  t.like(
    entries.find(({ path }) => path === 'bin/busybox'),
    { mode: 0o755 },
  );
  t.true(
    entries.findIndex(({ path }) => path === 'bin') <
      entries.findIndex(({ path }) => path === 'bin/busybox'),
  );
});

test('the same sources give the same image', async (t) => {
  using it = await kernelPackage();
  const first = await buildLabLinux(it.sources);
  t.deepEqual(await buildLabLinux(it.sources), first);
  t.regex(first.initrd.sha256, /^[0-9a-f]{64}$/);
});

test('a module packed with xz is unpacked by busybox', async (t) => {
  const packed = { 'acpi/button.ko.xz': moduleFile('') };
  using it = await kernelPackage(packed);
  const search = { modulesDir: it.modulesDir, wanted: ['button'], busybox: it.sources.busybox };
  t.deepEqual(await collectModules(search), [{ name: 'button', content: moduleFile('') }]);
  const broken = { ...search, busybox: '/nowhere/busybox' };
  t.like(await t.throwsAsync(collectModules(broken)), { reason: 'KERNEL_MODULE_UNREADABLE' });
});

test('a module that is neither there nor built in is named, with who needs it', async (t) => {
  const { 'net/net_failover.ko': _removed, ...rest } = MODULES;
  using it = await kernelPackage(rest);
  const error = await t.throwsAsync(buildLabLinux(it.sources));
  t.like(error, { reason: 'KERNEL_MODULE_MISSING' });
  t.true(error?.message.includes('"net_failover" (needed by virtio_net)'), error?.message);
});

test('a folder without a kernel is refused', async (t) => {
  using it = await kernelPackage();
  const error = await t.throwsAsync(
    buildLabLinux({ ...it.sources, kernelPackageDir: it.sources.outputDir }),
  );
  t.like(error, { reason: 'KERNEL_PACKAGE_INCOMPLETE' });
});
