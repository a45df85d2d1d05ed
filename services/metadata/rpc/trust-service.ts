import { create } from '@bufbuild/protobuf';
import { durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  CreateJoinTokenResponseSchema,
  RevokeAgentResponseSchema,
  TrustService,
} from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { actorOf } from '../../runtime/audit-actor.ts';
import { accessOf, type HasValues } from '../../runtime/context.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import { namePattern } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { type AgentRecord, agentName } from '../domain/certificate.ts';
import { type JoinToken, secretOf } from '../domain/token.ts';
import { idOf } from './convert.ts';
import type { RpcDeps } from './deps.ts';
import { introspect } from './introspect.ts';
import { join } from './join.ts';
import { missing, mutate } from './mutate.ts';
import { renew } from './renew.ts';
import { hashOf } from './token-service.ts';

const AGENT = namePattern('partitions/{partition}/agents/{agent}');
const JOIN_LIFETIME_MS = 3_600_000;
const SECRET_BYTES = 32;
const COORDINATION_MS = 3_000;

export const trustService = (deps: RpcDeps): Implementation => {
  const { store, records, clock, authority, questions } = deps;
  return implement(TrustService, {
    createJoinToken: async (request, context) => {
      const { parent, roles, agentId, lifetime } = request;
      const partition = idOf('parent', 'partitions', parent);
      if (!accessOf(context).covers({ partition })) throw missing(parent);
      if (!(await questions.hasPartition(partition, context.signal))) throw missing(parent);
      const response = CreateJoinTokenResponseSchema;
      return mutate(deps, context, { response, isSecret: true }, async (tx) => {
        const lifetimeMs = lifetime === undefined ? JOIN_LIFETIME_MS : durationMs(lifetime);
        const { secret, token } = newJoinToken(deps, { partition, roles, agentId, lifetimeMs });
        await insertJoinToken(deps, tx, token);
        return create(response, {
          secret,
          expireTime: timestampFromMs(token.expireMs),
          caFingerprint: authority.caFingerprint,
        });
      });
    },
    join: (request, context) => join(deps, request, context),
    renew: (request, context) => renew(deps, request, context),
    getTrustBundle: () => ({
      caPem: authority.caPem,
      caFingerprint: authority.caFingerprint,
      cluster: deps.cluster,
    }),
    introspect: (request) => introspect(deps, request),
    revokeAgent: async ({ name, why }, context) => {
      const { partition, agent: id } = AGENT.parse(name) ?? { partition: '', agent: '' };
      const isCovered = accessOf(context).covers({ partition });
      const agent = isCovered
        ? await store.read((reader) => records.agents.findByName(reader, partition, id))
        : undefined;
      if (agent === undefined) throw missing(name);
      const answer = await mutate(
        deps,
        context,
        { response: RevokeAgentResponseSchema },
        async (tx) => {
          if (agent.revokedMs === 0) {
            await records.agents.revoke(tx, agent, clock.now().getTime());
            auditRevocation(tx, agent, why);
          }
          return create(RevokeAgentResponseSchema);
        },
      );
      await announce(deps, agent, context);
      return answer;
    },
  });
};

export type WantedJoinToken = {
  readonly partition: string;
  readonly roles: readonly string[];
  /** Empty = chosen at joining. */
  readonly agentId: string;
  readonly lifetimeMs: number;
};

export const newJoinToken = (
  { clock, random }: Pick<RpcDeps, 'clock' | 'random'>,
  wanted: WantedJoinToken,
): { readonly secret: string; readonly token: JoinToken } => {
  if (wanted.roles.length === 0) {
    throw invalidArgument('INVALID_FIELD', 'A join token needs at least one role');
  }
  const secret = secretOf(random.bytes(SECRET_BYTES));
  const token = {
    uid: random.uid(),
    hash: hashOf(secret),
    partition: wanted.partition,
    roles: [...new Set(wanted.roles)],
    agentId: wanted.agentId,
    expireMs: clock.now().getTime() + wanted.lifetimeMs,
    burnedMs: 0,
  };
  return { secret, token };
};

export const insertJoinToken = async (
  { records }: Pick<RpcDeps, 'records'>,
  tx: Tx,
  token: JoinToken,
): Promise<void> => {
  await records.joinTokens.insert(tx, token);
  const { hash: _, ...shown } = token;
  tx.audit({
    action: 'agent.join-token',
    objectKind: 'join_token',
    objectUid: token.uid,
    objectName: `partitions/${token.partition}/agents/${token.agentId || '-'}`,
    partition: token.partition,
    after: shown,
  });
};

export const auditRevocation = (tx: Tx, agent: AgentRecord, why: string): void =>
  tx.audit({
    action: 'agent.revoke',
    objectKind: 'agent',
    objectUid: agent.uid,
    objectName: agentName(agent),
    partition: agent.partition,
    before: agent,
    after: { why },
  });

// The revocation stands in SQL already; a sweep tells the others when this cannot.
const announce = async (
  { notices, log }: RpcDeps,
  { uid }: AgentRecord,
  context: HasValues & { readonly signal: AbortSignal },
): Promise<void> => {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(COORDINATION_MS)]);
  try {
    await notices.publish({ kind: 'agent', uid }, signal);
  } catch (error) {
    log.warn(
      { err: error, agent: uid, requestId: actorOf(context).requestId },
      'a revocation could not be announced at once',
    );
  }
};
