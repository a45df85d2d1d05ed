import { createCipheriv, createDecipheriv } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Random } from '../../runtime/random.ts';

/**
 * Secrets at rest on an agent's host: sealed with AES-256-GCM under a key that lies beside the
 * journal in a file of its own (mode 0600), bound to the secret's name. Whoever takes a copy of the
 * journal alone has nothing.
 */
export type Sealer = {
  readonly seal: (name: string, text: string) => Uint8Array;
  /** Undefined when it was not sealed here: another key, another name, or damage. */
  readonly unseal: (name: string, sealed: Uint8Array) => string | undefined;
};

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

export const openSealer = (keyFile: string, random: Random): Sealer => {
  const key = ensureKey(keyFile, random);
  return {
    seal: (name, text) => {
      const nonce = random.bytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(name));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    unseal: (name, sealed) => {
      const bytes = Buffer.from(sealed);
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
      if (tag.length < TAG_BYTES) return undefined;
      try {
        const opened = createDecipheriv(CIPHER, key, nonce).setAAD(Buffer.from(name));
        opened.setAuthTag(tag);
        const body = bytes.subarray(NONCE_BYTES + TAG_BYTES);
        return Buffer.concat([opened.update(body), opened.final()]).toString('utf8');
      } catch {
        return undefined;
      }
    },
  };
};

const ensureKey = (file: string, random: Random): Buffer => {
  const present = readKey(file);
  if (present !== undefined) return present;
  writeFileSync(`${file}.new`, random.bytes(KEY_BYTES), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return readKey(file) ?? random.bytes(KEY_BYTES);
};

/** Undefined: absent, or cut short; what was sealed with it is fetched anew. */
const readKey = (file: string): Buffer | undefined => {
  try {
    const key = readFileSync(file);
    return key.length === KEY_BYTES ? key : undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};
