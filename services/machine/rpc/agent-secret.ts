/**
 * Secrets for agents: values come from metadata and go to the one agent that has work which names
 * them. They are in no assignment, no order and no row of this service.
 */
import { create } from '@bufbuild/protobuf';
import {
  type GetSecretRequest,
  type GetSecretResponse,
  GetSecretResponseSchema,
} from '../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { agentKey } from '../domain/capacity.ts';
import type { SecretPort } from '../neighbours-port.ts';
import { missing, type RpcDeps } from './rpc-deps.ts';

export type AgentSecretDeps = RpcDeps & { readonly secrets: Pick<SecretPort, 'reveal'> };

type Asking = { readonly agentUid: string; readonly signal: AbortSignal };

/** Errors: not_found, also for a secret that is there but that nothing of this agent names. */
export const agentSecret = async (
  deps: AgentSecretDeps,
  { name }: GetSecretRequest,
  { agentUid, signal }: Asking,
): Promise<GetSecretResponse> => {
  const purpose = await deps.store.read(async (reader) => {
    const { agents, assignments, hardware } = deps.records;
    const agent = await agents.find(reader, agentUid);
    if (agent === undefined) return undefined;
    const agentName = `partitions/${agent.partition}/agents/${agent.agentId}`;
    const key = agentKey(agentName);
    const secretKey = name.toLowerCase();
    const nowMs = deps.clock.now().getTime();
    const isNamed =
      (await hardware.orderNames(reader, { agentKey: key, secretKey, nowMs })) ||
      (await assignments.namesSecret(reader, key, secretKey));
    return isNamed ? agentName : undefined;
  });
  const values =
    purpose === undefined ? undefined : await deps.secrets.reveal({ name, purpose }, signal);
  if (values === undefined) throw missing(name, 'runm.secret');
  const { data, staged, generation } = values;
  return create(GetSecretResponseSchema, {
    data: { ...data },
    stagedData: { ...staged },
    generation,
  });
};
