import { createHash } from 'node:crypto';
import { addressKey } from '../domain/discovery.ts';

const ID_CHARS_MAX = 63;
const HASH_CHARS = 8;

/**
 * The id of what is found at an address: the address as far as it can be one, so that people know
 * it again, and a hash where that is not all of it. The same address always has the same id.
 */
export const discoveryId = (address: string): string => {
  const plain = addressKey(address);
  const id = plain.replace(/[^a-z0-9.]+/g, '-').replace(/^[.-]+|[.-]+$/g, '');
  // A port is set off by a colon, which no id may hold; nothing else is lost then.
  const isWhole = /^[a-z0-9.-]+(?::\d+)?$/.test(plain) && id.length <= ID_CHARS_MAX;
  if (isWhole && id !== '') return id;
  const hash = createHash('sha256').update(plain).digest('hex').slice(0, HASH_CHARS);
  const cut = id.slice(0, ID_CHARS_MAX - HASH_CHARS - 1).replace(/[.-]+$/, '');
  return cut === '' ? `bmc-${hash}` : `${cut}-${hash}`;
};
