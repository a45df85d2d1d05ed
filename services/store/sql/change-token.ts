import { createHash } from 'node:crypto';
import { type DomainError, outOfRange } from '../../runtime/errors.ts';

/**
 * A place in the change feed. A window [from, to) of positions holds only finished transactions, so
 * its rows never change; inside it rows are ordered by seq. The next window starts at `to`. On
 * PostgreSQL a position is a transaction id, on SQLite it is the number itself.
 */
export type FeedPosition = {
  readonly incarnation: number;
  readonly from: bigint;
  /** Equal to `from` between two windows. */
  readonly to: bigint;
  /** The last delivered row of the window; 0 between two windows. */
  readonly seq: number;
};

const VERSION = '1';
const CHECK_CHARS = 8;
const FORM = /^(\d{1,15})\.(\d{1,20})\.(\d{1,20})\.(\d{1,16})$/;

/**
 * Opaque to clients. The check binds it to the database, so that a token of another service is
 * refused.
 */
export const encodeToken = (position: FeedPosition, storeId: string): string => {
  const { incarnation, from, to, seq } = position;
  const body = `${incarnation}.${from}.${to}.${seq}`;
  return Buffer.from(`${VERSION}.${body}.${check(body, storeId)}`).toString('base64url');
};

/** Errors: out_of_range RESUME_TOKEN_EXPIRED for anything this database did not issue. */
export const decodeToken = (token: string, storeId: string): FeedPosition => {
  const text = Buffer.from(token, 'base64url').toString('latin1');
  const body = text.slice(VERSION.length + 1, -(CHECK_CHARS + 1));
  const parts = FORM.exec(body);
  if (parts === null || text !== `${VERSION}.${body}.${check(body, storeId)}`) {
    throw tokenExpired('it is not a token of this database');
  }
  const [, incarnation = '', from = '', to = '', seq = ''] = parts;
  return { incarnation: Number(incarnation), from: BigInt(from), to: BigInt(to), seq: Number(seq) };
};

export const tokenExpired = (why: string): DomainError =>
  outOfRange('RESUME_TOKEN_EXPIRED', `The resume token cannot be continued: ${why}; start over`);

const check = (body: string, storeId: string): string =>
  createHash('sha256')
    .update(`${VERSION}.${body}.${storeId}`)
    .digest('base64url')
    .slice(0, CHECK_CHARS);
