import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type CertificateIdentity,
  type IntrospectRequest,
  type IntrospectResponse,
  IntrospectResponseSchema,
} from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { type DomainError, unauthenticated } from '../../runtime/errors.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { type AgentRecord, agentName, demandNotRevoked } from '../domain/certificate.ts';
import { effectiveGrants, type Grant } from '../domain/grant.ts';
import { type Principal, parsePrincipal, parseSpiffeId } from '../domain/principal.ts';
import { findRole } from '../domain/role.ts';
import { type User, userName } from '../domain/user.ts';
import { grantMessage } from './convert.ts';
import type { RpcDeps } from './deps.ts';

/** Whose a credential is and what it may do now. Errors: unauthenticated, always. */
export const introspect = (
  deps: RpcDeps,
  { credential }: IntrospectRequest,
): Promise<IntrospectResponse> =>
  deps.store.read((reader) => {
    switch (credential.case) {
      case 'tokenHash':
        return byToken(deps, reader, Buffer.from(credential.value).toString('hex'));
      case 'certificate':
        return byCertificate(deps, reader, credential.value);
      case 'principal':
        return byPrincipal(deps, reader, parsePrincipal(credential.value));
      default:
        throw unknown('The request holds no credential');
    }
  });

const byToken = async (deps: RpcDeps, reader: Reader, hash: string) => {
  const token = await deps.records.tokens.findByHash(reader, hash);
  if (token === undefined) throw unknown('The bearer token is not known');
  if (token.expireMs <= deps.clock.now().getTime()) {
    throw unauthenticated('TOKEN_EXPIRED', 'The bearer token has expired');
  }
  const user = await deps.records.users.find(reader, token.userUid);
  if (user === undefined) throw unknown('The user of the bearer token does not exist');
  deps.noteTokenUse(token.uid);
  return userAnswer(user, effectiveGrants(user.grants, token.grants), token.expireMs);
};

const byCertificate = (deps: RpcDeps, reader: Reader, { uriSan }: CertificateIdentity) => {
  const principal = parseSpiffeId(deps.cluster, uriSan);
  if (principal === undefined) throw unknown(`"${uriSan}" is no identity of this installation`);
  return byPrincipal(deps, reader, principal);
};

const byPrincipal = async (
  { records }: RpcDeps,
  reader: Reader,
  principal: Principal | undefined,
): Promise<IntrospectResponse> => {
  switch (principal?.kind) {
    case 'user': {
      const user = await records.users.find(reader, principal.id);
      if (user === undefined) throw unknown(`users/${principal.id} does not exist`);
      return userAnswer(user, user.grants);
    }
    case 'app': {
      const app = await records.certificates.find(reader, principal.id);
      const user = app && (await records.users.find(reader, app.userUid));
      if (app === undefined || user === undefined) {
        throw unknown(`apps/${principal.id} does not exist`);
      }
      return answer({ principal: `apps/${app.uid}`, uid: app.uid, grants: user.grants });
    }
    case 'agent': {
      const agent = await records.agents.find(reader, principal.id);
      if (agent === undefined) throw unknown(`agents/${principal.id} does not exist`);
      demandNotRevoked(agent);
      return agentAnswer(agent);
    }
    case 'service':
      return answer({
        principal: `services/${principal.id}`,
        uid: principal.id,
        grants: [{ role: 'service', partition: '', project: '' }],
      });
    default:
      throw unknown('The request names no principal');
  }
};

const agentAnswer = (agent: AgentRecord): IntrospectResponse =>
  answer({
    principal: `agents/${agent.uid}`,
    uid: agent.uid,
    grants: [{ role: 'agent', partition: agent.partition, project: '' }],
    agent: agentName(agent),
    agentRoles: agent.roles,
  });

const userAnswer = (user: User, grants: readonly Grant[], expireMs?: number) =>
  answer({
    principal: userName(user),
    uid: user.uid,
    grants,
    ...(expireMs !== undefined && { expireMs }),
  });

type Known = {
  readonly principal: string;
  readonly uid: string;
  readonly grants: readonly Grant[];
  readonly expireMs?: number;
  readonly agent?: string;
  readonly agentRoles?: readonly string[];
};

const answer = ({ grants, expireMs, agentRoles, ...known }: Known): IntrospectResponse =>
  create(IntrospectResponseSchema, {
    ...known,
    grants: grants.map((grant) => ({
      grant: grantMessage(grant),
      permissions: [...(findRole(grant.role)?.permissions ?? [])],
    })),
    agentRoles: [...(agentRoles ?? [])],
    ...(expireMs !== undefined && { expireTime: timestampFromMs(expireMs) }),
  });

const unknown = (message: string): DomainError => unauthenticated('BAD_CREDENTIALS', message);
