/** A guest's files that qemu opens: its disks, and the initrd that carries the boot token. */
import { execFile } from 'node:child_process';
import { access, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { unavailable } from '../../../runtime/errors.ts';
import type { GuestPaths } from './guest-record.ts';
import { type Boot, type GuestSpec, ROOT_DISK } from './guest-spec.ts';
import { encodeNewc } from './newc.ts';
import { type Program, programEnvironment } from './program.ts';

const IMAGE_TOOL_LIMIT_MS = 60_000;
/** Where the guest finds its boot token. */
export const BOOT_TOKEN_PATH = 'run/boot-token';

export type DiskMaker = {
  readonly qemuImg: Program;
  readonly signal?: AbortSignal | undefined;
};

/** Makes the disks that are not there yet; those that are stay as they are. */
export const prepareDisks = async (
  maker: DiskMaker,
  spec: GuestSpec,
  paths: GuestPaths,
): Promise<void> => {
  if (spec.boot.kind === 'image') {
    const { path, format, sizeBytes } = spec.boot;
    const size = sizeBytes === null ? [] : [String(sizeBytes)];
    await createOnce(maker, paths.disk(ROOT_DISK), { from: ['-b', path, '-F', format], size });
  }
  for (const { name, sizeBytes } of spec.disks) {
    await createOnce(maker, paths.disk(name), { from: [], size: [String(sizeBytes)] });
  }
};

/**
 * Writes the initrd of one boot: the image's own, then an archive with nothing but the token, which
 * the kernel unpacks after it. So the token is in no argument list, and needs no driver in the
 * guest. Null: qemu gets none.
 */
export const prepareInitrd = async (
  spec: GuestSpec,
  boot: Boot,
  paths: GuestPaths,
): Promise<string | null> => {
  if (spec.boot.kind !== 'kernel') return null;
  if (boot.token === null) return spec.boot.initrdPath;
  const own = spec.boot.initrdPath === null ? null : await readFile(spec.boot.initrdPath);
  await rm(paths.tokenInitrd, { force: true });
  await writeFile(paths.tokenInitrd, withBootToken(own, boot.token), { mode: 0o600 });
  return paths.tokenInitrd;
};

/**
 * `initrd` followed, on a 4 byte boundary as the kernel demands, by an archive that holds the
 * token.
 */
export const withBootToken = (initrd: Buffer | null, token: string): Buffer => {
  const own = initrd ?? Buffer.alloc(0);
  return Buffer.concat([
    own,
    Buffer.alloc((4 - (own.length % 4)) % 4),
    encodeNewc([
      // Made by the first archive too; where there is none, the file would have nowhere to go.
      { kind: 'directory', path: 'run', mode: 0o755 },
      { kind: 'file', path: BOOT_TOKEN_PATH, mode: 0o600, content: Buffer.from(token) },
    ]),
  ]);
};

const createOnce = async (
  { qemuImg, signal }: DiskMaker,
  path: string,
  { from, size }: { from: readonly string[]; size: readonly string[] },
): Promise<void> => {
  if (await exists(path)) return;
  // Renamed when finished: a disk half made by a killed agent is never taken for a whole one.
  const unfinished = `${path}.new`;
  const options = ['create', '-q', '-f', 'qcow2', ...from, unfinished, ...size];
  try {
    await promisify(execFile)(qemuImg.path, [...qemuImg.args, ...options], {
      env: programEnvironment(qemuImg),
      timeout: IMAGE_TOOL_LIMIT_MS,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    throw unavailable('DISK_CREATE_FAILED', `Cannot create disk "${path}": ${said}`, {
      metadata: { path },
      cause,
    });
  }
  await rename(unfinished, path);
};

const exists = async (path: string): Promise<boolean> => {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
};
