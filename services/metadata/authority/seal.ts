import { createCipheriv, createDecipheriv } from 'node:crypto';
import { failedPrecondition } from '../../runtime/errors.ts';
import type { Random } from '../../runtime/random.ts';
import type { Sealed } from '../domain/sealed.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Private keys and secrets at rest: AES-256-GCM under the master key, so that a copy of the
 * database signs and opens nothing. What is sealed is bound to `label`, so that one sealed key
 * cannot be put in the place of another.
 */
export const seal = (
  { masterKey, random }: { readonly masterKey: Buffer; readonly random: Random },
  plain: Uint8Array,
  label: string,
): Sealed => {
  const nonce = random.bytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', masterKey, nonce).setAAD(Buffer.from(label));
  const data = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { version: 1, nonce: nonce.toString('base64'), data: data.toString('base64') };
};

/**
 * Errors: failed_precondition MASTER_KEY_WRONG when the key or the label is another, or the data
 * was changed.
 */
export const unseal = (masterKey: Buffer, sealed: Sealed, label: string): Buffer => {
  const data = Buffer.from(sealed.data, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', masterKey, Buffer.from(sealed.nonce, 'base64'))
      .setAAD(Buffer.from(label))
      .setAuthTag(data.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(data.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw failedPrecondition(
      'MASTER_KEY_WRONG',
      'The master key does not open what lies sealed in the database: it is not the one that ' +
        'this database was made with. Put the earlier master key file back',
      { cause },
    );
  }
};
