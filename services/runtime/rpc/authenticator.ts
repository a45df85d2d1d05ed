import { createHash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { unauthenticated } from '../errors.ts';
import { anonymous, type Grant, type Identity, serviceIdentity } from '../identity.ts';
import type { Peer, PeerCertificate } from './peer.ts';

/**
 * Turns what a mount knows of the other side into an Identity. Returns `anonymous` when no
 * credentials were shown; throws UNAUTHENTICATED when they are wrong, UNAVAILABLE when they cannot
 * be judged now.
 */
export type Authenticator = (peer: Peer, signal: AbortSignal) => Identity | Promise<Identity>;

export type AuthenticatorDeps = {
  readonly clock: Clock;
  /** Cluster name in our SPIFFE ids: "lab" in spiffe://lab/agent/<uid>. */
  readonly cluster: string;
  /** Grants by the kind of a certificate: roles `service` and `agent`. */
  readonly grantsOf: (kind: 'service' | 'agent', id: string) => readonly Grant[];
  /** Who a bearer token belongs to; undefined = unknown, expired or revoked. */
  readonly introspect: (token: string, signal: AbortSignal) => Promise<Identity | undefined>;
  /**
   * Grants of an automation with a client certificate; undefined = unknown or removed. Absent: none
   * is accepted.
   */
  readonly lookUpApp?: (uid: string, signal: AbortSignal) => Promise<Identity | undefined>;
  /**
   * Asked on every call and every 10 s of a stream, so it must answer from memory. Absent: nothing
   * is revoked.
   */
  readonly isRevoked?: (certificate: PeerCertificate) => boolean;
  /**
   * How long an answer of `introspect` and `lookUpApp` is kept; a wrong token is kept a fifth of
   * it.
   */
  readonly cacheMs?: number;
};

const CACHE_MS = 10_000;
const CACHE_ENTRIES_MAX = 10_000;
const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]{1,4096})$/i;

export const createAuthenticator = (deps: AuthenticatorDeps): Authenticator => {
  const tokens = createLookup(deps, deps.introspect);
  const apps = createLookup(deps, deps.lookUpApp ?? (() => Promise.resolve(undefined)));
  const byCertificate = new WeakMap<PeerCertificate, Identity>();
  const byService = new Map<string, Identity>();
  const service = (name: string): Identity => {
    const known = byService.get(name) ?? serviceIdentity(name, deps.grantsOf('service', name));
    byService.set(name, known);
    return known;
  };
  return (peer, signal) => {
    switch (peer.source.kind) {
      case 'in-process':
        return service(peer.source.service);
      case 'certificate':
        return identityOfCertificate(peer.source.certificate, signal);
      case 'people':
        return identityOfBearer(peer.header('authorization'), signal);
    }
  };

  function identityOfCertificate(certificate: PeerCertificate, signal: AbortSignal) {
    if (deps.isRevoked?.(certificate) === true) {
      throw unauthenticated('CERTIFICATE_REVOKED', 'The client certificate was revoked', {
        metadata: { serial: certificate.serial },
      });
    }
    const known = byCertificate.get(certificate);
    if (known !== undefined) return known;
    const { kind, id } = spiffeIdOf(certificate, deps.cluster);
    if (kind === 'app') return appIdentity(id, signal);
    const identity: Identity =
      kind === 'service'
        ? serviceIdentity(id, deps.grantsOf('service', id))
        : { kind, principal: `agents/${id}`, uid: id, grants: deps.grantsOf('agent', id) };
    byCertificate.set(certificate, identity);
    return identity;
  }

  async function appIdentity(uid: string, signal: AbortSignal): Promise<Identity> {
    const identity = await apps(uid, signal);
    if (identity !== undefined) return identity;
    throw unauthenticated('BAD_CREDENTIALS', `The certificate's app "${uid}" is not known`, {
      metadata: { app: uid },
    });
  }

  function identityOfBearer(header: string | undefined, signal: AbortSignal) {
    if (header === undefined) return anonymous;
    const token = BEARER.exec(header)?.[1];
    if (token !== undefined) return bearer(token, signal);
    throw unauthenticated(
      'BAD_CREDENTIALS',
      'The authorization header must be "Bearer <token>" with a token that "runm login" stored',
    );
  }

  async function bearer(token: string, signal: AbortSignal): Promise<Identity> {
    const identity = await tokens(token, signal);
    if (identity !== undefined) return identity;
    throw unauthenticated(
      'BAD_CREDENTIALS',
      'The bearer token is not known here: it may be mistyped, expired or revoked',
    );
  }
};

const SPIFFE = /^spiffe:\/\/([^/]+)\/(agent|service|app)\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/;

const spiffeIdOf = (
  certificate: PeerCertificate,
  cluster: string,
): { readonly kind: 'agent' | 'service' | 'app'; readonly id: string } => {
  for (const uri of certificate.uris) {
    const [, trust, kind, id] = SPIFFE.exec(uri) ?? [];
    if (trust !== cluster || id === undefined) continue;
    if (kind === 'agent' || kind === 'service' || kind === 'app') return { kind, id };
  }
  throw unauthenticated(
    'BAD_CREDENTIALS',
    `The client certificate names no spiffe://${cluster}/{agent|service|app}/<id>`,
    { metadata: { uris: certificate.uris.join(' ') } },
  );
};

type Entry = { readonly untilMs: number; readonly identity: Promise<Identity | undefined> };
type Find = (text: string, signal: AbortSignal) => Promise<Identity | undefined>;

/**
 * Remembers answers for seconds; calls that ask the same at once share one question. Failures are
 * not kept.
 */
const createLookup = (deps: AuthenticatorDeps, find: Find): Find => {
  const cacheMs = deps.cacheMs ?? CACHE_MS;
  const entries = new Map<string, Entry>();
  const remember = (key: string, identity: Promise<Identity | undefined>, forMs: number) => {
    entries.delete(key);
    entries.set(key, { untilMs: deps.clock.monotonicMs() + forMs, identity });
    const oldest = entries.keys().next().value;
    if (entries.size > CACHE_ENTRIES_MAX && oldest !== undefined) entries.delete(oldest);
  };
  return (text, signal) => {
    // Hashed, so that a heap dump holds no usable token.
    const key = createHash('sha256').update(text).digest('base64');
    const known = entries.get(key);
    if (known !== undefined && known.untilMs > deps.clock.monotonicMs()) return known.identity;
    // Not the caller's signal alone: others may wait for this answer, so it gets a limit of its
    // own.
    const limit = AbortSignal.timeout(5_000);
    const asked = find(text, limit);
    remember(key, asked, cacheMs);
    asked.then(
      (identity) => {
        if (identity === undefined) remember(key, asked, cacheMs / 5);
      },
      () => entries.delete(key),
    );
    return signal.aborted ? Promise.reject(signal.reason) : asked;
  };
};
