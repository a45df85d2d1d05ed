/**
 * How records stand in coordination: JSON with a version. A record of a version that is not known
 * here was written by a newer program; whoever meets one must not lead.
 */
import { internal } from '../../runtime/errors.ts';
import type { CapacityRecord, Offer } from './capacity.ts';
import type { ClaimRecord, ClaimSpec, RequestGroup, SetConstraint } from './claim.ts';
import type { LogBatch } from './command.ts';
import type { QuotaRecord } from './quota.ts';
import { isEmptyConstraint } from './set-constraint.ts';

export type Head = {
  /** Number of the newest commit. */
  readonly number: number;
  /** The leader's time of it. */
  readonly atMs: number;
  /** Tells whose copy was applied when an answer was lost. */
  readonly nonce: string;
};

const VERSION = 1;

const CLAIM_VERSION = 2;

export const encodeClaim = (claim: ClaimRecord): Uint8Array =>
  bytesOf(`{"v":${CLAIM_VERSION},${JSON.stringify(claim).slice(1)}`);

export const decodeClaim = (bytes: Uint8Array): ClaimRecord => {
  const { v, record } = read(bytes, CLAIM_VERSION);
  if (v === CLAIM_VERSION) return record as ClaimRecord;
  if (v === 1) return fromFirstVersion(record as FirstClaim);
  throw unknownFormat('claim');
};

/** As 0.1.0 wrote them: without owner and ancestors, with one block of capabilities. */
type FirstClaim = Omit<ClaimRecord, 'owner' | 'ancestors' | 'spec'> & {
  readonly spec: Omit<ClaimSpec, 'groups'> & {
    readonly groups: readonly (Omit<RequestGroup, 'capabilities'> & {
      readonly capabilities: SetConstraint;
    })[];
  };
};

const fromFirstVersion = (claim: FirstClaim): ClaimRecord => ({
  ...claim,
  owner: claim.requests[0]?.caller ?? 'services/scheduler',
  ancestors: [],
  spec: {
    ...claim.spec,
    groups: claim.spec.groups.map(({ capabilities, ...group }) => ({
      ...group,
      capabilities: isEmptyConstraint(capabilities) ? [] : [capabilities],
    })),
  },
});

export const encodeHead = (head: Head): Uint8Array => encode(head);
export const decodeHead = (bytes: Uint8Array): Head => decode<Head>(bytes, 'head');

/** The entries are JSON already: they were measured before. */
export const encodeLog = (
  batch: Omit<LogBatch, 'entries'> & { readonly entries: readonly string[] },
): Uint8Array => {
  const { number, atMs, entries } = batch;
  const head = JSON.stringify({ v: VERSION, number, atMs });
  return bytesOf(`${head.slice(0, -1)},"entries":[${entries.join(',')}]}`);
};
export const decodeLog = (bytes: Uint8Array): LogBatch => decode<LogBatch>(bytes, 'log');

type StoredCapacity = Omit<CapacityRecord, 'offers'> & {
  readonly offers: readonly (readonly [string, Offer])[];
};

/**
 * How a record of capacity begins, up to the uid, and what stands before its time and its mark,
 * which end it.
 */
export const CAPACITY_BEGIN = `{"v":${VERSION},"providerUid":"`;
export const CAPACITY_TIME = ',"updateMs":';
export const CAPACITY_MARK = ',"mark":';

export const encodeCapacity = ({ updateMs, mark, ...record }: CapacityRecord): Uint8Array =>
  encode({ ...record, offers: [...record.offers], updateMs, mark });

export const decodeCapacity = (bytes: Uint8Array): CapacityRecord => {
  const stored = decode<StoredCapacity>(bytes, 'capacity');
  return { ...stored, offers: new Map(stored.offers) };
};

type StoredLimits = readonly (readonly [string, number])[];
type StoredQuota = Omit<QuotaRecord, 'limits' | 'users'> & {
  readonly limits: StoredLimits;
  readonly users: readonly (readonly [string, StoredLimits])[];
};

export const encodeQuota = (record: QuotaRecord): Uint8Array =>
  encode({
    ...record,
    limits: [...record.limits],
    users: [...record.users].map(([user, limits]) => [user, [...limits]]),
  });

export const decodeQuota = (bytes: Uint8Array): QuotaRecord => {
  const stored = decode<StoredQuota>(bytes, 'quota');
  return {
    ...stored,
    limits: new Map(stored.limits),
    users: new Map(stored.users.map(([user, limits]) => [user, new Map(limits)])),
  };
};

/** Texts of a record's length take half the time of a TextEncoder. */
const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const decoder = new TextDecoder();

const encode = (value: object): Uint8Array => bytesOf(JSON.stringify({ v: VERSION, ...value }));

const decode = <T extends object>(bytes: Uint8Array, what: string): T => {
  const { v, record } = read(bytes, VERSION);
  if (v === VERSION) return record as T;
  throw unknownFormat(what);
};

/** A record and its version; of one that begins as ours do, nothing is copied to part the two. */
const read = (
  bytes: Uint8Array,
  version: number,
): { readonly v: unknown; readonly record: unknown } => {
  const text = decoder.decode(bytes);
  const begin = `{"v":${version},`;
  if (text.startsWith(begin)) {
    return { v: version, record: JSON.parse(`{${text.slice(begin.length)}`) };
  }
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('v' in value)) {
    return { v: undefined, record: undefined };
  }
  const { v, ...record } = value;
  return { v, record };
};

const unknownFormat = (what: string) =>
  internal('INTERNAL', `A stored ${what} has a format that this program does not know`);
