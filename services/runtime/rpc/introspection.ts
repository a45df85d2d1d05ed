import { createHash } from 'node:crypto';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import {
  type IntrospectResponse,
  TrustService,
} from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { isDomainError } from '../errors.ts';
import type { Grant, Identity, IdentityKind } from '../identity.ts';
import { asDomain } from './error-reading.ts';

/** What createAuthenticator asks of the identity service. It caches; this does not. */
export type Introspection = {
  /**
   * Undefined = unknown, expired or revoked. Errors: unavailable when the identity service cannot
   * be asked.
   */
  readonly introspect: (token: string, signal: AbortSignal) => Promise<Identity | undefined>;
  readonly lookUpApp: (uid: string, signal: AbortSignal) => Promise<Identity | undefined>;
  /**
   * What a principal may do now; undefined = it does not exist any more. For journals before
   * destructive steps.
   */
  readonly lookUpPrincipal: (
    principal: string,
    signal: AbortSignal,
  ) => Promise<Identity | undefined>;
};

const CALL_MS = 5_000;

/**
 * `transport` reaches the identity area. The token itself does not leave the process, only its
 * hash.
 */
export const createIntrospection = (transport: Transport): Introspection => {
  const client = createClient(TrustService, transport);
  const byPrincipal = (principal: string, signal: AbortSignal) =>
    ask(client, { case: 'principal', value: principal }, signal);
  return {
    introspect: (token, signal) =>
      ask(
        client,
        { case: 'tokenHash', value: createHash('sha256').update(token).digest() },
        signal,
      ),
    lookUpApp: (uid, signal) => byPrincipal(`apps/${uid}`, signal),
    lookUpPrincipal: byPrincipal,
  };
};

type Credential =
  | { readonly case: 'tokenHash'; readonly value: Uint8Array<ArrayBuffer> }
  | { readonly case: 'principal'; readonly value: string };

const ask = async (
  client: Client<typeof TrustService>,
  credential: Credential,
  signal: AbortSignal,
): Promise<Identity | undefined> => {
  try {
    return identityOf(
      await asDomain(client.introspect({ credential }, { signal, timeoutMs: CALL_MS })),
    );
  } catch (error) {
    if (isDomainError(error, 'unauthenticated')) return undefined;
    throw error;
  }
};

const KINDS: Readonly<Record<string, IdentityKind>> = {
  users: 'user',
  apps: 'app',
  agents: 'agent',
  services: 'service',
};

const identityOf = (answer: IntrospectResponse): Identity | undefined => {
  const kind = KINDS[answer.principal.split('/')[0] ?? ''];
  if (kind === undefined) return undefined;
  return {
    kind,
    principal: answer.principal,
    uid: answer.uid,
    grants: answer.grants.map(({ grant, permissions }) => grantOf(grant, permissions)),
    ...(answer.expireTime !== undefined && { expireMs: timestampMs(answer.expireTime) }),
  };
};

type GrantNames = { readonly role: string; readonly partition: string; readonly project: string };

const grantOf = (names: GrantNames | undefined, permissions: readonly string[]): Grant => {
  const { role = '', partition = '', project = '' } = names ?? {};
  return {
    role: idIn(role),
    permissions: new Set(permissions),
    ...(partition !== '' && { partition: idIn(partition) }),
    ...(project !== '' && { project: idIn(project) }),
  };
};

const idIn = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
