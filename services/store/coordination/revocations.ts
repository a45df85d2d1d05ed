import type { CoordinationDeps } from './held-lease.ts';
import { openMirror } from './mirror.ts';
import type { Coordination } from './port.ts';

/**
 * Revoked client certificates, told to every process of the installation: the listener asks on
 * every call and every 10 s of a stream, so the answer must lie in memory. The home of the fact is
 * the identity service's database, which writes these keys and removes each once every certificate
 * of its principal has ended.
 */
export type Revoked = { readonly kind: 'agent'; readonly uid: string };

const PREFIX = 'revoked/';

const keyOf = ({ kind, uid }: Revoked): string => `${PREFIX}${kind}/${uid.toLowerCase()}`;

/** Repeating it changes nothing. */
export const publishRevocation = async (
  coordination: Coordination,
  revoked: Revoked,
  signal: AbortSignal,
): Promise<void> => {
  const key = keyOf(revoked);
  await coordination.transact(
    {
      compare: [{ key, target: 'version', equals: 0n }],
      writes: [{ put: key, value: new Uint8Array() }],
    },
    signal,
  );
};

/**
 * Makes the keys say exactly this: what is missing is added, what is not in `revoked` is removed.
 */
export const publishRevocations = async (
  coordination: Coordination,
  revoked: readonly Revoked[],
  signal: AbortSignal,
): Promise<void> => {
  const wanted = new Set(revoked.map(keyOf));
  const present = new Set(await presentKeys(coordination, signal));
  for (const one of revoked) {
    if (!present.has(keyOf(one))) await publishRevocation(coordination, one, signal);
  }
  for (const key of present) {
    if (wanted.has(key)) continue;
    await coordination.transact({ compare: [], writes: [{ delete: key }] }, signal);
  }
};

/** Those whose certificates may still be valid. */
export const listRevoked = async (
  coordination: Coordination,
  signal: AbortSignal,
): Promise<readonly Revoked[]> => {
  const keys = await presentKeys(coordination, signal);
  return keys.flatMap((key) => {
    const [, kind, uid] = key.split('/');
    return kind === 'agent' && uid !== undefined ? [{ kind, uid }] : [];
  });
};

const presentKeys = async (coordination: Coordination, signal: AbortSignal): Promise<string[]> => {
  const present: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await coordination.range(
      { prefix: PREFIX, ...(after !== undefined && { after }) },
      signal,
    );
    present.push(...page.keys.map(({ key }) => key));
    after = page.keys.at(-1)?.key;
    if (!page.more || after === undefined) return present;
  }
};

export type Revocations = {
  /** Resolves when they have first been read; rejects when the signal aborts before. */
  readonly ready: Promise<void>;
  /**
   * Whether the certificate with these URI names is revoked; from memory. For the authenticator.
   */
  readonly isRevoked: (certificate: { readonly uris: readonly string[] }) => boolean;
};

const SPIFFE = /^spiffe:\/\/[^/]+\/(agent)\/([A-Za-z0-9._-]+)$/;

/**
 * Follows the revocations until the signal aborts; keeps the last known while the store does not
 * answer. `onChange` is called after each change, so that streams can be judged again at once.
 */
export const watchRevocations = (
  deps: CoordinationDeps,
  signal: AbortSignal,
  onChange: () => void = () => {},
): Revocations => {
  const mirror = openMirror(deps, { prefix: PREFIX, onChange, signal });
  return {
    ready: mirror.ready,
    isRevoked: ({ uris }) =>
      uris.some((uri) => {
        const [, kind, uid] = SPIFFE.exec(uri) ?? [];
        if (kind !== 'agent' || uid === undefined) return false;
        return mirror.get(keyOf({ kind, uid })) !== undefined;
      }),
  };
};
