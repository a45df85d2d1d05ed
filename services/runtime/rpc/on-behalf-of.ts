/**
 * The header `runm-on-behalf-of`: base64 of JSON naming the caller for whom a service calls, with
 * the grants that the first service established. Believed only from a service that
 * service-policy.ts names.
 */
import { permissionDenied } from '../errors.ts';
import type { Grant, Identity, IdentityKind } from '../identity.ts';

export const ON_BEHALF_OF = 'runm-on-behalf-of';
export const HOPS = 'runm-hops';
export const REQUEST_ID = 'x-request-id';

/**
 * Longest header that is written or read, in characters; a caller with more grants cannot be acted
 * for.
 */
export const ON_BEHALF_OF_CHARS_MAX = 48 * 1024;

type Wire = {
  readonly kind: IdentityKind;
  readonly principal: string;
  readonly uid: string;
  readonly grants: readonly {
    readonly role: string;
    readonly permissions: readonly string[];
    readonly partition?: string;
    readonly project?: string;
  }[];
};

const encoded = new WeakMap<Identity, string>();

/** The header's value for that caller; remembered per identity object. */
export const encodeOnBehalfOf = (identity: Identity): string => {
  const known = encoded.get(identity);
  if (known !== undefined) return known;
  const wire: Wire = {
    kind: identity.kind,
    principal: identity.principal,
    uid: identity.uid,
    grants: identity.grants.map((grant) => ({ ...grant, permissions: [...grant.permissions] })),
  };
  const text = Buffer.from(JSON.stringify(wire)).toString('base64');
  if (text.length > ON_BEHALF_OF_CHARS_MAX) {
    throw permissionDenied('NOT_ALLOWED', `${identity.principal} holds too many grants to act for`);
  }
  encoded.set(identity, text);
  return text;
};

// A handful of callers make most calls; the text is the key, so a changed grant is another entry.
const decoded = new Map<string, Identity>();
const DECODED_MAX = 1_000;

/** The caller that the header names. Throws PERMISSION_DENIED when it cannot be read. */
export const decodeOnBehalfOf = (text: string): Identity => {
  const known = decoded.get(text);
  if (known !== undefined) return known;
  const identity = text.length > ON_BEHALF_OF_CHARS_MAX ? undefined : identityIn(text);
  if (identity === undefined) {
    throw permissionDenied('NOT_ALLOWED', `The header ${ON_BEHALF_OF} cannot be read`);
  }
  const oldest = decoded.keys().next().value;
  if (decoded.size >= DECODED_MAX && oldest !== undefined) decoded.delete(oldest);
  decoded.set(text, identity);
  return identity;
};

const identityIn = (text: string): Identity | undefined => {
  let wire: unknown;
  try {
    wire = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isRecord(wire)) return undefined;
  const { kind, principal, uid, grants } = wire;
  // A service never acts for another service: that one calls itself.
  if (kind !== 'user' && kind !== 'app' && kind !== 'agent') return undefined;
  if (typeof principal !== 'string' || typeof uid !== 'string') return undefined;
  if (principal === '' || !Array.isArray(grants)) return undefined;
  const read = grants.map(grantIn);
  const whole = read.filter((grant): grant is Grant => grant !== undefined);
  return whole.length === read.length ? { kind, principal, uid, grants: whole } : undefined;
};

const grantIn = (wire: unknown): Grant | undefined => {
  if (!isRecord(wire)) return undefined;
  const { role, permissions, partition, project } = wire;
  if (typeof role !== 'string' || !isTextList(permissions)) return undefined;
  if (partition !== undefined && typeof partition !== 'string') return undefined;
  if (project !== undefined && typeof project !== 'string') return undefined;
  return {
    role,
    permissions: new Set(permissions),
    ...(partition !== undefined && { partition }),
    ...(project !== undefined && { project }),
  };
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isTextList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
