import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import type { HandlerContext } from '@connectrpc/connect';
import { type BmcAnswer, BmcOrderSchema } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import {
  type ScanControllersRequest,
  ScanControllersResponseSchema,
} from '../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { accessFor } from '../../runtime/access.ts';
import { accessOf, identityOf, requestKeyOf } from '../../runtime/context.ts';
import { internal, invalidArgument, isDomainError, unavailable } from '../../runtime/errors.ts';
import { namePattern } from '../../runtime/names.ts';
import { agentKey, agentKeyOf } from '../domain/capacity.ts';
import type { InventoryPort } from '../neighbours-port.ts';
import type { Orders } from '../order-port.ts';
import { answered } from './answered.ts';
import { commandIdOf } from './hardware-change.ts';
import { actorOf, missing, type RpcDeps } from './rpc-deps.ts';

export type ScanDeps = RpcDeps & {
  readonly orders: Orders;
  readonly inventory: Pick<InventoryPort, 'recordDiscoveries'>;
};

/** For 4096 addresses, many at a time, at which mostly nobody answers. */
const SCAN_MS = 10 * 60_000;
const VALID_MS = 30_000;
const AGENTS_MAX = 1_000;
const PARTITION = namePattern('partitions/{partition}');
const AGENT = namePattern('partitions/{partition}/agents/{agent}');

export const scanControllers = async (
  deps: ScanDeps,
  request: ScanControllersRequest,
  context: HandlerContext,
) => {
  const schema = ScanControllersResponseSchema;
  const partition = PARTITION.parse(request.parent)?.partition ?? '';
  if (!accessOf(context).covers({ partition })) throw missing(request.parent, 'runm.partition');
  const earlier = await answered(deps.store, context, schema);
  if (earlier !== undefined) return earlier;
  const agent = await scanner(deps, request, { partition, context });
  const { ranges, secret } = request;
  demandSecretUse(context, secret);
  const order = create(BmcOrderSchema, {
    timeout: durationFromMs(SCAN_MS),
    work: { case: 'scan', value: { ranges, secret } },
  });
  const commandId = commandIdOf(context, request.requestId);
  const placed = { commandId, validForMs: VALID_MS, order };
  const result = await deps.orders.atAgent(agent, placed, context.signal).catch((error) => {
    throw asked(error);
  });
  const found = foundOf(result);
  if (result.content.case === 'scan' && found.controllers.length > 0) {
    const { parent } = request;
    const { controllers } = result.content.value;
    const observeMs = deps.clock.now().getTime();
    const recorded = { parent, found: controllers, secret, agent, observeMs };
    await deps.inventory.recordDiscoveries(recorded, context.signal);
  }
  return deps.store.transaction(requestKeyOf(context, schema), actorOf(context), async (tx) => {
    tx.audit({
      action: 'provider.scanned',
      objectKind: 'partition',
      objectUid: partition,
      objectName: request.parent,
      partition,
      after: { ranges: [...ranges], secret, agent, found: found.controllers.length },
    });
    return create(schema, found);
  });
};

/** Of a scan the agent judges the ranges alone: what it calls wrong there the caller can mend. */
const asked = (error: unknown): unknown => {
  if (!isDomainError(error) || error.reason !== 'INVALID_FIELD') return error;
  const description = error.message.replace(/^ranges: /, '');
  return invalidArgument('INVALID_FIELD', error.message, {
    metadata: { field: 'ranges' },
    violations: [{ field: 'ranges', description }],
    cause: error,
  });
};

const foundOf = ({ content }: BmcAnswer) => {
  if (content.case !== 'scan') {
    throw internal('INTERNAL', 'The agent answered something else than scan');
  }
  const { controllers, tried } = content.value;
  return {
    tried,
    controllers: controllers.map(({ type, address, facts, certificateSha256, problem }) => ({
      type,
      address,
      ...(facts !== undefined && { facts }),
      certificateSha256,
      problem,
    })),
  };
};

/** The agent that was named, or one of the partition that is connected. Errors: unavailable. */
const SECRET = namePattern('projects/{project}/secrets/{secret}');

/** It is sent to whatever answers at those addresses, so only who may see it may name it. */
const demandSecretUse = (context: HandlerContext, secret: string): void => {
  if (secret === '') return;
  const project = SECRET.parse(secret)?.project;
  const access = accessFor(identityOf(context), 'secret.get');
  if (project === undefined || !access.covers({ project })) throw missing(secret, 'runm.secret');
};

const scanner = async (
  deps: ScanDeps,
  { agent, parent }: ScanControllersRequest,
  { partition, context }: { readonly partition: string; readonly context: HandlerContext },
): Promise<string> => {
  if (agent !== '') {
    const path = AGENT.parse(agent);
    if (path?.partition.toLowerCase() !== partition.toLowerCase())
      throw missing(agent, 'runm.agent');
    return agentKey(agent);
  }
  const access = accessOf(context);
  const page = { size: AGENTS_MAX, limit: AGENTS_MAX, tokenAt: () => '' };
  const agents = await deps.store.read((reader) =>
    deps.records.agents.list(reader, { partition, access }, page),
  );
  const one = agents.find(({ state, roles }) => state === 'up' && roles.includes('bmc'));
  if (one !== undefined) return agentKeyOf(one);
  throw unavailable('NO_AGENT', `No agent with the role bmc is connected in "${parent}"`, {
    metadata: { parent },
    retryAfterMs: 2_000,
  });
};
