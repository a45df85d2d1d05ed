/**
 * Who a call is made for. Every way in (client certificate, bearer token, a service acting for
 * someone, a call inside the process) ends as one Identity; nothing else decides what a caller may
 * do, and no request body carries one.
 */
export type IdentityKind = 'user' | 'service' | 'agent' | 'app' | 'anonymous';

/**
 * A role that the identity holds, and where. Without partition and project it holds everywhere;
 * with both, only in that project within that partition. Partition and project are ids (last name
 * segments), never uids.
 */
export type Grant = {
  readonly role: string;
  /** Permissions "<noun>.<verb>"; a trailing "*" stands for the rest: "machine.*", "*". */
  readonly permissions: ReadonlySet<string>;
  readonly partition?: string;
  readonly project?: string;
};

export type Identity = {
  readonly kind: IdentityKind;
  /** "users/admin", "services/machine", "agents/<uid>", "apps/<uid>"; "anonymous" for nobody. */
  readonly principal: string;
  /** Uid of that user, agent or app; the name for a service; empty for anonymous. */
  readonly uid: string;
  readonly grants: readonly Grant[];
  /** When the credential ends, in milliseconds since 1970; absent = not known, or never. */
  readonly expireMs?: number;
};

export const anonymous: Identity = {
  kind: 'anonymous',
  principal: 'anonymous',
  uid: '',
  grants: [],
};

/** A service of ours, with the grants that the caller's table gives to services. */
export const serviceIdentity = (name: string, grants: readonly Grant[]): Identity => ({
  kind: 'service',
  principal: `services/${name}`,
  uid: name,
  grants,
});

/**
 * True when the set holds the permission itself or a pattern over it: "a.b.c", "a.b.*", "a.*" or
 * "*".
 */
export const holds = (permissions: ReadonlySet<string>, permission: string): boolean => {
  if (permissions.has(permission) || permissions.has('*')) return true;
  let end = permission.lastIndexOf('.');
  while (end > 0) {
    if (permissions.has(`${permission.slice(0, end)}.*`)) return true;
    end = permission.lastIndexOf('.', end - 1);
  }
  return false;
};
