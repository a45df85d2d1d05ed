/**
 * Packets inside a session: AES-CBC-128 over the payload, then an authentication code over the
 * whole (IPMI 2.0 §13.6, §13.28.4, §13.29). What does not authenticate is no packet.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { encodeRmcpPlus, type RmcpPlusHeader, type RmcpPlusPacket } from './packet.ts';
import { isSameCode, type SessionKeys } from './session-keys.ts';

const BLOCK_BYTES = 16;
const NEXT_HEADER = 0x07;
const TRAILER_BYTES = 2;

export type Sealing = {
  readonly keys: SessionKeys;
  /** 16 unpredictable bytes for every packet. */
  readonly iv: Buffer;
};

export const seal = (
  header: Omit<RmcpPlusHeader, 'sealed'>,
  payload: Uint8Array,
  { keys, iv }: Sealing,
): Buffer => {
  const body = encodeRmcpPlus({ ...header, sealed: true }, encrypt(payload, keys.encryption, iv));
  // The code covers a multiple of four bytes (§13.6, "Integrity PAD").
  const padBytes = (4 - ((body.length + TRAILER_BYTES) % 4)) % 4;
  const trailer = Buffer.alloc(padBytes + TRAILER_BYTES, 0xff);
  trailer[padBytes] = padBytes;
  trailer[padBytes + 1] = NEXT_HEADER;
  const covered = Buffer.concat([body, trailer]);
  return Buffer.concat([covered, codeOf(covered, keys)]);
};

/** The payload; undefined when it does not authenticate or does not decrypt. */
export const unseal = (packet: RmcpPlusPacket, keys: SessionKeys): Buffer | undefined => {
  if (!packet.authenticated || !packet.encrypted) return undefined;
  const codeStart = packet.whole.length - keys.suite.codeBytes;
  if (codeStart < TRAILER_BYTES || packet.whole[codeStart - 1] !== NEXT_HEADER) return undefined;
  const covered = packet.whole.subarray(0, codeStart);
  if (!isSameCode(codeOf(covered, keys), packet.whole.subarray(codeStart))) return undefined;
  return decrypt(packet.payload, keys.encryption);
};

const codeOf = (covered: Buffer, keys: SessionKeys): Buffer =>
  createHmac(keys.suite.hash, keys.integrity)
    .update(covered)
    .digest()
    .subarray(0, keys.suite.codeBytes);

/** The padding counts up from 1 and ends with its length; unlike PKCS#7 it may be empty. */
const encrypt = (payload: Uint8Array, key: Buffer, iv: Buffer): Buffer => {
  const padBytes = BLOCK_BYTES - 1 - (payload.length % BLOCK_BYTES);
  const padding = Buffer.alloc(padBytes + 1);
  for (let at = 0; at < padBytes; at += 1) padding[at] = at + 1;
  padding[padBytes] = padBytes;
  const cipher = createCipheriv('aes-128-cbc', key, iv).setAutoPadding(false);
  return Buffer.concat([iv, cipher.update(payload), cipher.update(padding), cipher.final()]);
};

const decrypt = (bytes: Buffer, key: Buffer): Buffer | undefined => {
  if (bytes.length < 2 * BLOCK_BYTES || bytes.length % BLOCK_BYTES !== 0) return undefined;
  const iv = bytes.subarray(0, BLOCK_BYTES);
  const decipher = createDecipheriv('aes-128-cbc', key, iv).setAutoPadding(false);
  const plain = Buffer.concat([decipher.update(bytes.subarray(BLOCK_BYTES)), decipher.final()]);
  const padBytes = plain.at(-1) ?? 0;
  // It authenticated, so a wrong padding is the sender's bug; its values are not checked, because
  // some firmware fills them with zeros.
  return padBytes < BLOCK_BYTES ? plain.subarray(0, plain.length - 1 - padBytes) : undefined;
};
