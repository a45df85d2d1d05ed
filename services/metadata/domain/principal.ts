/** Principals as texts: "users/{id}", "apps/{uid}", "agents/{uid}", "services/{name}". */
export type PrincipalKind = 'user' | 'app' | 'agent' | 'service';
export type Principal = { readonly kind: PrincipalKind; readonly id: string };

const KINDS: Readonly<Record<string, PrincipalKind>> = {
  users: 'user',
  apps: 'app',
  agents: 'agent',
  services: 'service',
};

/** Undefined when the text is no principal. */
export const parsePrincipal = (text: string): Principal | undefined => {
  const [, collection = '', id] = /^([a-z]+)\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/.exec(text) ?? [];
  const kind = KINDS[collection];
  return kind === undefined || id === undefined ? undefined : { kind, id };
};

/** The URI SAN of our certificates: "spiffe://{cluster}/{kind}/{id}". */
export const spiffeId = (cluster: string, kind: PrincipalKind, id: string): string =>
  `spiffe://${cluster}/${kind}/${id}`;

const SPIFFE =
  /^spiffe:\/\/([^/]{1,255})\/(agent|service|app)\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})$/;

/** Undefined when the URI is none of that installation. */
export const parseSpiffeId = (cluster: string, uri: string): Principal | undefined => {
  const [, trust, kind, id] = SPIFFE.exec(uri) ?? [];
  if (trust !== cluster || id === undefined) return undefined;
  return kind === 'agent' || kind === 'service' || kind === 'app' ? { kind, id } : undefined;
};
