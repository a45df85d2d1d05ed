/**
 * Orders at controllers, wherever the agent's session is: here, or at the replica that its row
 * names, to which the order is passed on.
 */
import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { type BmcAnswer, BmcOrderSchema } from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import { OrderService } from '../../../gen/runmachine/agent/v1/order_service_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import {
  type DomainError,
  failedPrecondition,
  isDomainError,
  unavailable,
} from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { derivedRequestId } from '../../runtime/random.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import type { Connect } from '../../runtime/service.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { AgentHub } from '../agent-port.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { demandController } from '../domain/controller.ts';
import { demandUndisturbed } from '../domain/never-provision.ts';
import {
  type ControllerPlace,
  type Controllers,
  controllerMessage,
  type OrderResult,
  type Orders,
  type PlacedOrder,
} from '../order-port.ts';
import type { Records } from '../ports.ts';
import { type CredentialNews, REFUSED } from './credential-news.ts';
import { type OrderHub, timeoutMsOf } from './order-hub.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'agents'>;
  readonly clock: Clock;
  readonly connect: Connect;
  readonly hub: Pick<AgentHub, 'sessionOf'>;
  readonly orders: OrderHub;
  readonly controllers: Controllers;
  readonly credentials: CredentialNews;
  readonly log: Logger;
  readonly replicaId: string;
};

/** An order that lies longer than this at an agent is not begun any more. */
const VALID_MS = 30_000;
const WAY_MS = 10_000;
const TRIES = 4;
const PAUSE_MS = 500;

export const createOrders = (deps: Deps): Orders => {
  const atAgent: Orders['atAgent'] = async (agentKey, placed, signal) =>
    answerOf(await place(deps, agentKey, placed, signal));
  return {
    atAgent,
    atProvider: async (provider, ordered, signal) => {
      demandUndisturbed(provider, ordered.work);
      const { isSafeTwice } = ordered;
      const order = orderOf(provider, ordered);
      let { commandId } = ordered;
      for (let tries = 1; ; tries += 1) {
        const at = await deps.controllers.placeFor(provider);
        try {
          const placed = { commandId, validForMs: VALID_MS, order };
          const answer = await atAgent(at.agentKey, placed, signal);
          await reached(deps, provider, at);
          return answer;
        } catch (error) {
          if (isDomainError(error, 'failed_precondition', REFUSED)) {
            await deps.credentials.refused(provider, error.message);
          }
          if (isDomainError(error, 'unavailable', 'BMC_UNREACHABLE')) {
            const after = await deps.controllers.missed(provider, { ...at, commandId });
            if (after === 'kept' || !isSafeTwice || tries >= TRIES) throw error;
            if (after === 'busy') await deps.clock.sleep(PAUSE_MS * tries, signal);
            // The former one's is being closed, and its row is not to close this one's.
            commandId = derivedRequestId(ordered.commandId, `try ${tries}`);
            continue;
          }
          const isLost = isDomainError(error, 'unavailable', 'NO_AGENT');
          const isUntouched = isLost && error.metadata.begun === 'no';
          if (!isLost || !(isSafeTwice || isUntouched) || tries >= TRIES) throw error;
          // The row of an agent whose session has ended says so a moment later.
          await deps.clock.sleep(PAUSE_MS * tries, signal);
        }
      }
    },
  };
};

/** The order is done, whether this is written down or not. */
const reached = async (
  { controllers, credentials, log }: Deps,
  provider: ProviderView,
  at: ControllerPlace,
): Promise<void> => {
  await credentials.accepted(provider);
  await controllers.reached(provider, at).catch((error: unknown) => {
    log.warn({ err: error, provider: provider.uid }, 'that it was reached is not written down');
  });
};

const orderOf = (
  provider: ProviderView,
  { work, timeoutMs }: Parameters<Orders['atProvider']>[1],
) =>
  create(BmcOrderSchema, {
    providerUid: provider.uid,
    provider: provider.name,
    controller: controllerMessage(demandController(provider)),
    timeout: durationFromMs(timeoutMs),
    work,
  });

const place = async (
  deps: Deps,
  agentKey: string,
  placed: PlacedOrder,
  signal: AbortSignal,
): Promise<OrderResult> => {
  const session = deps.hub.sessionOf(agentKey);
  if (session !== undefined) return deps.orders.place(session, placed, signal);
  const agent = await deps.store.read((r) => deps.records.agents.findByKey(r, agentKey));
  if (agent === undefined) throw noAgent(agentKey, 'it has never connected');
  if (agent.state !== 'up') {
    throw noAgent(agentKey, `it is ${agent.state} since ${new Date(agent.sinceMs).toISOString()}`);
  }
  if (agent.replica === deps.replicaId) throw noAgent(agentKey, 'it has just moved');
  return passOn(deps, agent.address, { agentKey, placed, signal });
};

type Passed = {
  readonly agentKey: string;
  readonly placed: PlacedOrder;
  readonly signal: AbortSignal;
};

const passOn = async (
  deps: Deps,
  address: string,
  { agentKey, placed, signal }: Passed,
): Promise<OrderResult> => {
  const { commandId, validForMs, order } = placed;
  const client = createClient(OrderService, deps.connect.transportToAddress(address));
  const timeoutMs = validForMs + timeoutMsOf(order) + WAY_MS;
  const request = { agent: agentKey, commandId, validFor: durationFromMs(validForMs), order };
  const { result } = await asDomain(client.placeOrder(request, { signal, timeoutMs }));
  if (result?.succeeded === true) return { kind: 'done', answer: result.bmc };
  return { kind: 'failed', reason: result?.reason ?? '', message: result?.message ?? '' };
};

/** What it says later may be something else: worth another try. */
const PASSING: ReadonlySet<string> = new Set([
  'BMC_UNREACHABLE',
  'BMC_TIMEOUT',
  'BMC_BUSY',
  'EXPIRED',
]);

const answerOf = (result: OrderResult): BmcAnswer => {
  if (result.kind === 'failed') throw refusalOf(result);
  if (result.answer !== undefined) return result.answer;
  throw unavailable('SERVICE_UNAVAILABLE', 'The agent answered without an answer; update it');
};

const refusalOf = ({ reason, message }: Extract<OrderResult, { kind: 'failed' }>): DomainError => {
  const said = message === '' ? `The agent said ${reason}` : message;
  return PASSING.has(reason)
    ? unavailable(reason, said, { retryAfterMs: 2_000 })
    : failedPrecondition(reason === '' ? 'BMC_REFUSED' : reason, said);
};

export const noAgent = (agentKey: string, why: string) =>
  unavailable(
    'NO_AGENT',
    agentKey === '' ? `No agent can do it: ${why}` : `The agent ${agentKey} cannot do it: ${why}`,
    { metadata: { agent: agentKey }, retryAfterMs: 1_000 },
  );
