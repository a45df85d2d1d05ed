import { readFile, stat } from 'node:fs/promises';
import { failedPrecondition } from '../../runtime/errors.ts';

const OTHERS = 0o077;
const PREFIX = 'whsec_';

/**
 * The secret in a file that only its owner may read: the text itself, or the bytes of a
 * "whsec_<base64>". Errors: failed_precondition SECRET_INVALID naming the file.
 */
export const readSecret = async (file: string): Promise<Buffer> => {
  const text = await readText(file);
  return text.startsWith(PREFIX)
    ? Buffer.from(text.slice(PREFIX.length), 'base64')
    : Buffer.from(text);
};

/** The same as text, for passwords. */
export const readText = async (file: string): Promise<string> => {
  let text: string;
  try {
    const { mode } = await stat(file);
    if ((mode & OTHERS) !== 0) throw invalid(file, 'may be read by others; chmod 600 it');
    text = (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'DomainError') throw cause;
    throw invalid(file, 'cannot be read', cause);
  }
  if (text === '') throw invalid(file, 'is empty');
  return text;
};

const invalid = (file: string, why: string, cause?: unknown) =>
  failedPrecondition('SECRET_INVALID', `The secret file "${file}" ${why}`, {
    metadata: { file },
    ...(cause !== undefined && { cause }),
  });
