import { create } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import type { HandlerContext } from '@connectrpc/connect';
import {
  OrderService,
  type PlaceOrderRequest,
  PlaceOrderResponseSchema,
} from '../../../gen/runmachine/agent/v1/order_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { permissionDenied, unavailable } from '../../runtime/errors.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { AgentHub, AgentSession } from '../agent-port.ts';
import { agentKey } from '../domain/capacity.ts';
import type { OrderResult, PlacedOrder } from '../order-port.ts';

export type OrderRpcDeps = {
  readonly hub: Pick<AgentHub, 'sessionOf'>;
  readonly orders: {
    readonly place: (
      session: AgentSession,
      placed: PlacedOrder,
      signal: AbortSignal,
    ) => Promise<OrderResult>;
  };
};

/** Orders that another replica passes on, because the agent's session is here. */
export const orderRpc = (deps: OrderRpcDeps): Implementation =>
  implement(OrderService, {
    placeOrder: (request, context) => placeOrder(deps, request, context),
  });

const placeOrder = async (
  { hub, orders }: OrderRpcDeps,
  { agent, commandId, validFor, order }: PlaceOrderRequest,
  context: HandlerContext,
) => {
  const { identity } = callOf(context);
  if (identity.kind !== 'service') {
    throw permissionDenied('NOT_ALLOWED', 'Orders are passed on by our services only', {
      metadata: { permission: 'agent.order', principal: identity.principal },
    });
  }
  const session = hub.sessionOf(agentKey(agent));
  if (session === undefined || order === undefined) {
    throw unavailable('NO_AGENT', `The agent ${agent} has no session here`, {
      metadata: { agent },
      retryAfterMs: 1_000,
    });
  }
  const validForMs = validFor === undefined ? 0 : durationMs(validFor);
  const id = commandId.toLowerCase();
  const result = await orders.place(session, { commandId: id, validForMs, order }, context.signal);
  return create(PlaceOrderResponseSchema, { result: resultMessage(id, result) });
};

const resultMessage = (id: string, result: OrderResult) =>
  result.kind === 'failed'
    ? { id, succeeded: false, reason: result.reason, message: result.message }
    : { id, succeeded: true, ...(result.answer !== undefined && { bmc: result.answer }) };
