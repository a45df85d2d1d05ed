/**
 * Proofs and keys of a session (IPMI 2.0 §13.20 to §13.23, §13.31, §13.32). Both sides compute all
 * of them from the two random numbers and the password; none is ever sent but the proofs.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { CipherSuite } from './cipher-suite.ts';

/** What both sides know after RAKP 2. */
export type Exchange = {
  readonly suite: CipherSuite;
  readonly consoleSession: number;
  readonly managedSession: number;
  readonly consoleRandom: Buffer;
  readonly managedRandom: Buffer;
  readonly guid: Buffer;
  readonly role: number;
  readonly user: Buffer;
  readonly password: Buffer;
};

export type SessionKeys = {
  readonly suite: CipherSuite;
  readonly integrity: Buffer;
  /** 16 bytes. */
  readonly encryption: Buffer;
};

const CONSTANT_BYTES = 20;
const AES_KEY_BYTES = 16;

/** By which the managed system shows that it knows the password. */
export const rakp2Code = (exchange: Exchange): Buffer =>
  hmac(exchange.suite, exchange.password, [
    sessionId(exchange.consoleSession),
    sessionId(exchange.managedSession),
    exchange.consoleRandom,
    exchange.managedRandom,
    exchange.guid,
    roleAndUser(exchange),
  ]);

/** By which the console does. */
export const rakp3Code = (exchange: Exchange): Buffer =>
  hmac(exchange.suite, exchange.password, [
    exchange.managedRandom,
    sessionId(exchange.consoleSession),
    roleAndUser(exchange),
  ]);

/** By which the managed system shows that it has the same session key. */
export const rakp4Code = (exchange: Exchange): Buffer =>
  hmac(exchange.suite, sessionIntegrityKey(exchange), [
    exchange.consoleRandom,
    sessionId(exchange.managedSession),
    exchange.guid,
  ]).subarray(0, exchange.suite.codeBytes);

export const sessionKeys = (exchange: Exchange): SessionKeys => {
  const { suite } = exchange;
  const sik = sessionIntegrityKey(exchange);
  const derive = (byte: number): Buffer => hmac(suite, sik, [Buffer.alloc(CONSTANT_BYTES, byte)]);
  return { suite, integrity: derive(1), encryption: derive(2).subarray(0, AES_KEY_BYTES) };
};

/** In constant time; of different lengths never. */
export const isSameCode = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && timingSafeEqual(one, other);

/** Keyed by the password, which is what a BMC without a key of its own (K_G) uses. */
const sessionIntegrityKey = (exchange: Exchange): Buffer =>
  hmac(exchange.suite, exchange.password, [
    exchange.consoleRandom,
    exchange.managedRandom,
    roleAndUser(exchange),
  ]);

const hmac = (suite: CipherSuite, key: Uint8Array, parts: readonly Uint8Array[]): Buffer => {
  const made = createHmac(suite.hash, key);
  for (const part of parts) made.update(part);
  return made.digest();
};

const sessionId = (id: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(id);
  return bytes;
};

const roleAndUser = ({ role, user }: Exchange): Buffer =>
  Buffer.concat([Buffer.from([role, user.length]), user]);
