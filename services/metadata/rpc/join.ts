import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type JoinRequest,
  type JoinResponse,
  JoinResponseSchema,
} from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { callOf, type HasValues, requestKeyOf } from '../../runtime/context.ts';
import { unauthenticated } from '../../runtime/errors.ts';
import { readSigningRequest } from '../authority/signing-request.ts';
import { AGENT_LIFETIME_MS, type AgentRecord, agentName } from '../domain/certificate.ts';
import { demandUsable } from '../domain/token.ts';
import type { RpcDeps } from './deps.ts';
import { hashOf } from './token-service.ts';

/**
 * Exchanges a one-time token for an identity. Token, agent and answer are one transaction: a join
 * whose answer was lost is repeated with its request id and gets the same certificate, any other
 * use of the token is refused.
 */
export const join = async (
  deps: RpcDeps,
  { joinToken, csrPem, agentId }: JoinRequest,
  context: HasValues,
): Promise<JoinResponse> => {
  const { store, records, clock, random, authority } = deps;
  const request = await readSigningRequest(csrPem);
  const uid = random.uid();
  const actor = { principal: `agents/${uid}`, requestId: callOf(context).requestId };
  return store.transaction(requestKeyOf(context, JoinResponseSchema), actor, async (tx) => {
    const nowMs = clock.now().getTime();
    const found = await records.joinTokens.findByHash(tx, hashOf(joinToken));
    const token = demandUsable(found, nowMs);
    if (!(await records.joinTokens.burn(tx, token.uid, nowMs))) {
      throw unauthenticated('TOKEN_BURNED', 'The join token was used before; make a new one');
    }
    const agent: AgentRecord = {
      uid,
      partition: token.partition,
      agentId: token.agentId || agentId || uid,
      roles: token.roles,
      createMs: nowMs,
      revokedMs: 0,
    };
    await records.agents.insert(tx, agent);
    const principal = { kind: 'agent', id: uid } as const;
    const signed = await authority.signClient(principal, request, AGENT_LIFETIME_MS);
    tx.audit({
      action: 'agent.join',
      objectKind: 'agent',
      objectUid: uid,
      objectName: agentName(agent),
      partition: agent.partition,
      after: { ...agent, serial: signed.serial },
    });
    return create(JoinResponseSchema, {
      certificatePem: signed.pem,
      caPem: authority.caPem,
      agent: agentName(agent),
      agentUid: uid,
      expireTime: timestampFromMs(signed.expireMs),
    });
  });
};
