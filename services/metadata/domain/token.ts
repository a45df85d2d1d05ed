import { unauthenticated } from '../../runtime/errors.ts';
import type { Grant } from './grant.ts';
import type { RecordHead } from './record.ts';

export type Token = RecordHead & {
  readonly userUid: string;
  /** Id of the user when the token was made, for people. */
  readonly user: string;
  /** SHA-256 of the secret in hexadecimal. */
  readonly hash: string;
  readonly lifetimeMs: number;
  readonly expireMs: number;
  /** 0 = never used. */
  readonly lastUseMs: number;
  /** Empty = all that the user holds. */
  readonly grants: readonly Grant[];
};

export const tokenName = ({ id }: { readonly id: string }): string => `tokens/${id}`;

/** A one-time token with which an agent joins. */
export type JoinToken = {
  readonly uid: string;
  readonly hash: string;
  readonly partition: string;
  readonly roles: readonly string[];
  /** Empty = chosen at joining. */
  readonly agentId: string;
  readonly expireMs: number;
  /** 0 = not used yet. */
  readonly burnedMs: number;
};

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_BYTES = 32;
/** 62^43 > 2^256: every secret has the same length. */
const SECRET_CHARS = 43;

/**
 * `runm_` and the base 62 form of 32 random bytes; the prefix lets secret scanners find leaked
 * ones.
 */
export const secretOf = (bytes: Uint8Array): string => {
  if (bytes.length !== SECRET_BYTES) throw new Error(`A secret needs ${SECRET_BYTES} bytes`);
  let rest = bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  let text = '';
  while (text.length < SECRET_CHARS) {
    text = (BASE62[Number(rest % 62n)] ?? '') + text;
    rest /= 62n;
  }
  return `runm_${text}`;
};

/** Errors: unauthenticated JOIN_TOKEN_INVALID, TOKEN_EXPIRED or TOKEN_BURNED. */
export const demandUsable = (token: JoinToken | undefined, nowMs: number): JoinToken => {
  if (token === undefined) {
    throw unauthenticated('JOIN_TOKEN_INVALID', 'The join token is not known here');
  }
  if (token.burnedMs !== 0) {
    throw unauthenticated('TOKEN_BURNED', 'The join token was used before; make a new one');
  }
  if (token.expireMs <= nowMs) {
    throw unauthenticated('TOKEN_EXPIRED', 'The join token has expired; make a new one');
  }
  return token;
};
