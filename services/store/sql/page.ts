import { hash } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import { aborted, invalidArgument, outOfRange } from '../../runtime/errors.ts';

/**
 * Keyset paging: a page continues behind the last key of the one before, so that a page costs the
 * same wherever it is, and what is created or deleted meanwhile neither repeats nor hides a row.
 * The order needs a compound index of filter columns and key columns.
 */
export type PageRequest = {
  /** As the caller sent it; 0 = the default. */
  readonly pageSize: number;
  /** Empty = the first page. */
  readonly pageToken: string;
  /**
   * Everything else that shapes the list (parent, filter, order); must be the same for every page.
   */
  readonly otherArguments: unknown;
  readonly incarnation: number;
  readonly sizeDefault: number;
  readonly sizeMax: number;
};

/**
 * Values of the ordering columns of a row, most significant first; the last one makes it unique.
 */
export type PageKey = readonly (string | number)[];

export type Page = {
  /** Rows on this page. */
  readonly size: number;
  /** Ask the database for this many: the one too many tells that there is a next page. */
  readonly limit: number;
  /** Continue behind this key; absent = from the first. */
  readonly after?: PageKey;
  readonly tokenAt: (key: PageKey) => string;
};

const VERSION = 1;
type TokenBody = readonly [version: number, incarnation: number, hash: string, key: PageKey];

/**
 * Reads the paging fields of a list request. Errors: invalid_argument PAGE_TOKEN_INVALID,
 * invalid_argument PAGE_TOKEN_MISMATCH when other arguments changed, out_of_range
 * PAGE_TOKEN_EXPIRED after a restore.
 */
export const openPage = (request: PageRequest): Page => {
  const argumentsHash = hashOf(request.otherArguments);
  const size = Math.min(
    request.pageSize === 0 ? request.sizeDefault : request.pageSize,
    request.sizeMax,
  );
  const tokenAt = (key: PageKey): string => {
    const body: TokenBody = [VERSION, request.incarnation, argumentsHash, key];
    return Buffer.from(JSON.stringify(body)).toString('base64url');
  };
  const page = { size, limit: size + 1, tokenAt };
  if (request.pageToken === '') {
    return page;
  }
  const [, incarnation, tokenHash, after] = decode(request.pageToken);
  if (tokenHash !== argumentsHash) {
    throw invalidArgument(
      'PAGE_TOKEN_MISMATCH',
      'The page token belongs to a list with other arguments; repeat them or start without a token',
    );
  }
  if (incarnation !== request.incarnation) {
    throw outOfRange(
      'PAGE_TOKEN_EXPIRED',
      'The installation was restored since this page token was given; start without a token',
    );
  }
  return { ...page, after };
};

export type PageOfRows<Row> = {
  readonly rows: readonly Row[];
  /** Empty = this is the last page. */
  readonly nextPageToken: string;
};

/** Cuts what the database gave (up to `page.limit` rows) to the page and makes the next token. */
export const closePage = <Row>(
  page: Page,
  rows: readonly Row[],
  keyOf: (row: Row) => PageKey,
): PageOfRows<Row> => {
  const kept = rows.slice(0, page.size);
  const last = kept.at(-1);
  const more = rows.length > kept.length && last !== undefined;
  return { rows: kept, nextPageToken: more ? page.tokenAt(keyOf(last)) : '' };
};

/**
 * `(a, b) > (x, y)` for a kysely `where`; true for the first page. Both databases use the index for
 * it.
 */
export const behindKey = (columns: readonly string[], page: Page): RawBuilder<boolean> => {
  if (page.after === undefined) {
    return sql<boolean>`1 = 1`;
  }
  if (page.after.length !== columns.length) {
    throw malformed();
  }
  const names = sql.join(columns.map((column) => sql.ref(column)));
  return sql<boolean>`(${names}) > (${sql.join(page.after)})`;
};

/** The etag of a row: opaque, of its version and not of its content, and of no other row. */
export const etagOf = (
  row: { readonly uid: string; readonly version: number },
  incarnation: number,
) => hash('sha256', `${incarnation}.${row.uid}.${row.version}`, 'base64url').slice(0, 16);

/** Errors: aborted ETAG_MISMATCH with the current etag in the metadata. An empty `given` passes. */
export const checkEtag = (given: string, current: string): void => {
  if (given !== '' && given !== current) {
    throw aborted('ETAG_MISMATCH', `The object changed: its etag is "${current}", not "${given}"`, {
      metadata: { etag: current },
    });
  }
};

const hashOf = (value: unknown): string =>
  hash('sha256', canonical(value), 'base64url').slice(0, 16);

/** Text that is the same for equal arguments, whatever the order of their fields. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, field: unknown) => {
    if (typeof field === 'bigint') {
      return `${field}n`;
    }
    return typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field;
  }) ?? '';

const decode = (token: string): TokenBody => {
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    throw malformed();
  }
  if (!isTokenBody(body)) {
    throw malformed();
  }
  return body;
};

const isTokenBody = (body: unknown): body is TokenBody =>
  Array.isArray(body) &&
  body.length === 4 &&
  body[0] === VERSION &&
  Number.isSafeInteger(body[1]) &&
  typeof body[2] === 'string' &&
  Array.isArray(body[3]) &&
  body[3].every((part) => typeof part === 'string' || Number.isFinite(part));

const malformed = () =>
  invalidArgument('PAGE_TOKEN_INVALID', 'The page token is not one that this service gave');
