import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failedPrecondition } from '../../runtime/errors.ts';
import type { Random } from '../../runtime/random.ts';

export type MasterKeyOptions = {
  /** File with 32 bytes as 64 hexadecimal digits, mode 0600. */
  readonly file: string;
  /** Make it when it is missing (embedded mode). False: a missing file is an error. */
  readonly create: boolean;
};

const KEY_BYTES = 32;

/**
 * Errors: failed_precondition MASTER_KEY_MISSING, MASTER_KEY_EXPOSED when others may read the file,
 * MASTER_KEY_INVALID.
 */
export const readMasterKey = async (options: MasterKeyOptions, random: Random): Promise<Buffer> => {
  const { file, create } = options;
  if (create) await createOnce(file, random);
  const text = await readText(file);
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) {
    throw failedPrecondition(
      'MASTER_KEY_EXPOSED',
      `Others may read the master key file "${file}": chmod 600 ${file}`,
      { metadata: { file } },
    );
  }
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw failedPrecondition(
      'MASTER_KEY_INVALID',
      `The master key file "${file}" must hold 64 hexadecimal digits; make one with: ` +
        `openssl rand -hex ${KEY_BYTES}`,
      { metadata: { file } },
    );
  }
  return Buffer.from(text, 'hex');
};

const readText = async (file: string): Promise<string> => {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw failedPrecondition(
      'MASTER_KEY_MISSING',
      `Cannot read the master key file "${file}". A new installation makes one with: ` +
        `(umask 077; openssl rand -hex ${KEY_BYTES} > ${file}); every replica needs the same`,
      { metadata: { file }, cause },
    );
  }
};

// Linked into place only when it is whole: a crash leaves no half key, and of two starts one wins.
const createOnce = async (file: string, random: Random): Promise<void> => {
  if (await exists(file)) return;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${random.uid()}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${random.bytes(KEY_BYTES).toString('hex')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, file);
  } catch (error) {
    if (!(await exists(file))) throw error;
  } finally {
    await unlink(draft);
  }
};

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
