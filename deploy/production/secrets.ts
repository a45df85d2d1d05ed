import { existsSync, readFileSync } from 'node:fs';
import { systemRandom } from '../../services/runtime/random.ts';
import { writeWhole } from '../start/state-dir.ts';

const SECRET_BYTES = 32;

/** 64 hexadecimal digits in a file with mode 0600, made once. */
export const ensureSecret = (file: string): string => {
  if (!existsSync(file)) {
    writeWhole(file, `${systemRandom.bytes(SECRET_BYTES).toString('hex')}\n`, 0o600);
  }
  return readFileSync(file, 'utf8').trim();
};
