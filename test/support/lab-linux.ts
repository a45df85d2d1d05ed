import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildLabLinux,
  LAB_LINUX_COMMAND_LINE,
  type LabLinux,
} from '../../deploy/images/lab-linux/build.ts';
import type { Program } from '../../deploy/tools/program.ts';
import type { BootSource } from '../../services/agent/drivers/qemu/guest-spec.ts';
import { ownTemporaryDir } from '../tools-dir.ts';
import { silentLog as log } from './silent-log.ts';

/**
 * The lab image of this machine's kernel and busybox, in a folder that test files share. It is
 * built anew each time, which takes a fraction of a second and gives the same bytes.
 */
export const labLinux = async (kernel: Program, busybox: Program): Promise<LabLinux> => {
  const { mtimeMs, size } = await stat(busybox.path);
  const key = createHash('sha256').update(`${kernel.path} ${busybox.path} ${mtimeMs} ${size}`);
  const outputDir = join(ownTemporaryDir('runm-test-images'), key.digest('hex').slice(0, 16));
  return buildLabLinux({ kernelPackageDir: kernel.path, busybox: busybox.path, outputDir, log });
};

/** What makes a guest boot it; `more` is added to the kernel command line. */
export const bootOf = (image: LabLinux, more = ''): BootSource => ({
  kind: 'kernel',
  kernelPath: image.kernel.path,
  initrdPath: image.initrd.path,
  commandLine: `${LAB_LINUX_COMMAND_LINE} ${more}`.trim(),
});
