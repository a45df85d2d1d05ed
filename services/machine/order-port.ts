/** Orders to management controllers, between rpc/, which speaks the contract, and work/. */
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { AssignmentSchema } from '../../gen/runmachine/agent/v1/assignment_pb.ts';
import {
  type BmcAnswer,
  type BmcOrder,
  type BmcOrderSchema,
  type Controller,
  ControllerSchema,
} from '../../gen/runmachine/agent/v1/bmc_pb.ts';
import { BmcType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import type { ControllerView, ProviderView } from './domain/capacity.ts';
import type { Miss } from './domain/reach.ts';

export type PlacedOrder = {
  /** The agent does the same id once. */
  readonly commandId: string;
  /** How long after receipt it may be begun. */
  readonly validForMs: number;
  readonly order: BmcOrder;
};

export type OrderResult =
  | { readonly kind: 'done'; readonly answer: BmcAnswer | undefined }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

export type BmcWork = NonNullable<MessageInitShape<typeof BmcOrderSchema>['work']>;

export type Ordered = {
  readonly work: BmcWork;
  readonly commandId: string;
  /** How long the work may take from its begin. */
  readonly timeoutMs: number;
  /** Whether it may be done twice: then another agent of the pool tries where one was lost. */
  readonly isSafeTwice: boolean;
};

export type Orders = {
  /**
   * Has an agent of the provider's pool do it, wherever its session is. Errors:
   * failed_precondition NO_CONTROLLER and BMC_…, unavailable NO_AGENT and BMC_….
   */
  readonly atProvider: (
    provider: ProviderView,
    ordered: Ordered,
    signal: AbortSignal,
  ) => Promise<BmcAnswer>;
  /**
   * Has that agent (lower-case name) do it. Errors: unavailable NO_AGENT, and those of the work.
   */
  readonly atAgent: (
    agentKey: string,
    placed: PlacedOrder,
    signal: AbortSignal,
  ) => Promise<BmcAnswer>;
};

/** Who works at a controller, and who of its pool could not reach it. */
export type ControllerPlace = {
  /** Lower-case name; one that is connected before one that is not. Empty: the pool has none. */
  readonly agentKey: string;
  readonly missed: readonly Miss[];
};

/**
 * Whether another of the pool has the work now: it has; none is fit; not while something else is
 * under way there.
 */
export type AfterMiss = 'moved' | 'kept' | 'busy';

/** Which agent of a pool works at the controller of a provider. */
export type Controllers = {
  readonly placeFor: (provider: ProviderView) => Promise<ControllerPlace>;
  /** Its agent alone. */
  readonly agentFor: (provider: ProviderView) => Promise<string>;
  /** That agent could not reach it, when it did that command (empty: none). */
  readonly missed: (
    provider: ProviderView,
    missing: { readonly agentKey: string; readonly commandId: string },
  ) => Promise<AfterMiss>;
  /** It was reached from there. */
  readonly reached: (provider: ProviderView, place: ControllerPlace) => Promise<void>;
};

const TYPES: Readonly<Record<ControllerView['type'], BmcType>> = {
  redfish: BmcType.REDFISH,
  ipmi: BmcType.IPMI,
  any: BmcType.UNSPECIFIED,
};

export const controllerMessage = (controller: ControllerView): Controller =>
  create(ControllerSchema, { ...controller, type: TYPES[controller.type] });

/** The controller that an assignment names; undefined: none. */
export const controllerIn = ({ bytes }: { readonly bytes: Uint8Array }) => {
  const { content } = fromBinary(AssignmentSchema, bytes);
  const isKnown = content.case === 'server' || content.case === 'absent';
  const found = isKnown ? content.value.controller : undefined;
  if (found === undefined) return undefined;
  const { address, ipmiAddress, secret, certificateSha256 } = found;
  const type = VIEWS.get(found.type) ?? 'any';
  return { type, address, ipmiAddress, secret, certificateSha256 } as const;
};

const VIEWS = new Map<BmcType, ControllerView['type']>([
  [BmcType.REDFISH, 'redfish'],
  [BmcType.IPMI, 'ipmi'],
]);
