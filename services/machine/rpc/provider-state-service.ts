import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { ProviderStateSchema } from '../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import {
  AcceptProviderResponseSchema,
  AdoptProviderResponseSchema,
  CleanProviderResponseSchema,
  InspectProviderResponseSchema,
  type ListProviderStatesRequest,
  MaintainProviderResponseSchema,
  ProviderStateService,
  QuarantineProviderResponseSchema,
  RetireProviderResponseSchema,
  ReturnProviderResponseSchema,
} from '../../../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { isDomainError, unavailable } from '../../runtime/errors.ts';
import { namePattern } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { newProviderState } from '../domain/provider-state.ts';
import { providerStateMessage } from './provider-state-message.ts';
import { changeLife, type ProviderRpcDeps } from './provider-verbs.ts';
import { cutPage, missing, pageFor } from './rpc-deps.ts';
import { findVisibleProvider } from './visible-provider.ts';

const PAGE_MAX = 200;
/** Questions to the scheduler at the same time. */
const ASKED_AT_ONCE = 16;
const PARTITION = namePattern('partitions/{partition}');

export const providerStateRpc = (deps: ProviderRpcDeps): Implementation =>
  implement(ProviderStateService, {
    getProviderState: async ({ name }, context) => {
      const provider = await findVisibleProvider(deps, name, context);
      const [providerState] = await shown(deps, [provider], context.signal);
      return { ...(providerState !== undefined && { providerState }) };
    },
    listProviderStates: (request, context) => list(deps, request, context),
    acceptProvider: async (request, context) => {
      const provider = await findVisibleProvider(deps, request.name, context);
      return changeLife(deps, context, {
        verb: 'accept',
        provider,
        request,
        response: AcceptProviderResponseSchema,
        answer: (providerState) => create(AcceptProviderResponseSchema, { providerState }),
      });
    },
    maintainProvider: async (request, context) => {
      const provider = await findVisibleProvider(deps, request.name, context);
      return changeLife(deps, context, {
        verb: 'maintain',
        provider,
        request,
        response: MaintainProviderResponseSchema,
        answer: (providerState) => create(MaintainProviderResponseSchema, { providerState }),
      });
    },
    quarantineProvider: async (request, context) => {
      const provider = await findVisibleProvider(deps, request.name, context);
      return changeLife(deps, context, {
        verb: 'quarantine',
        provider,
        request,
        response: QuarantineProviderResponseSchema,
        answer: (providerState) => create(QuarantineProviderResponseSchema, { providerState }),
      });
    },
    returnProvider: async (request, context) => {
      const provider = await findVisibleProvider(deps, request.name, context);
      return changeLife(deps, context, {
        verb: 'return',
        provider,
        request,
        response: ReturnProviderResponseSchema,
        answer: (providerState) => create(ReturnProviderResponseSchema, { providerState }),
      });
    },
    inspectProvider: async (request, context) => {
      const provider = await findVisibleProvider(deps, request.name, context);
      return changeLife(deps, context, {
        verb: 'inspect',
        provider,
        request,
        response: InspectProviderResponseSchema,
        answer: (providerState) => create(InspectProviderResponseSchema, { providerState }),
      });
    },
    cleanProvider: async (request, context) => {
      const provider = await findVisibleProvider(deps, request.name, context);
      return changeLife(deps, context, {
        verb: 'clean',
        provider,
        request,
        response: CleanProviderResponseSchema,
        answer: (providerState) => create(CleanProviderResponseSchema, { providerState }),
      });
    },
    adoptProvider: async (request, context) => {
      const provider = await findVisibleProvider(deps, request.name, context);
      return changeLife(deps, context, {
        verb: 'adopt',
        provider,
        request,
        response: AdoptProviderResponseSchema,
        answer: (providerState) => create(AdoptProviderResponseSchema, { providerState }),
      });
    },
    retireProvider: async (request, context) => {
      const provider = await findVisibleProvider(deps, request.name, context);
      return changeLife(deps, context, {
        verb: 'retire',
        provider,
        request,
        response: RetireProviderResponseSchema,
        answer: (providerState) => create(RetireProviderResponseSchema, { providerState }),
      });
    },
  });

const list = async (
  deps: ProviderRpcDeps,
  request: ListProviderStatesRequest,
  context: HandlerContext,
) => {
  const pageSize = Math.min(request.pageSize || PAGE_MAX / 2, PAGE_MAX);
  const page = pageFor(deps, { ...request, pageSize }, { parent: request.parent });
  const partition = PARTITION.parse(request.parent)?.partition ?? '';
  if (!accessOf(context).covers({ partition })) throw missing(request.parent, 'runm.partition');
  if (!deps.pools.isSynced()) {
    throw unavailable('SERVICE_UNAVAILABLE', 'Not all providers were seen yet', {
      retryAfterMs: 1_000,
    });
  }
  const after = String(page.after?.[0] ?? '');
  const all = deps.pools.inPartition(partition);
  const start = after === '' ? 0 : firstBehind(all, after);
  const some = all.slice(start, start + page.limit);
  const states = await shown(deps, some.slice(0, page.size), context.signal);
  const { messages, nextPageToken } = cutPage({
    page,
    rows: some,
    keyOf: ({ name }) => [name.toLowerCase()],
    schema: ProviderStateSchema,
    message: ({ uid }) => states.find((one) => one.providerUid === uid) ?? unshown(),
  });
  return { providerStates: messages, nextPageToken };
};

const unshown = (): never => {
  throw new Error('A provider of the page has no state');
};

/** The list is sorted by these names. */
const firstBehind = (all: readonly ProviderView[], key: string): number => {
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((all[middle]?.name.toLowerCase() ?? '') <= key) low = middle + 1;
    else high = middle;
  }
  return low;
};

const shown = async (
  deps: ProviderRpcDeps,
  providers: readonly ProviderView[],
  signal: AbortSignal,
) => {
  const uids = providers.map(({ uid }) => uid);
  const [rows, waiting] = await deps.store.read((reader) =>
    Promise.all([
      deps.records.providers.findMany(reader, uids),
      deps.records.cleanings.ofProviders(reader, uids),
    ]),
  );
  const states = [];
  for (let at = 0; at < providers.length; at += ASKED_AT_ONCE) {
    const some = providers.slice(at, at + ASKED_AT_ONCE);
    const uses = await Promise.all(some.map((provider) => isInUse(deps, provider, signal)));
    for (const [index, { name, uid, partition }] of some.entries()) {
      const known = rows.find((row) => row.providerUid === uid) ?? newProviderState(uid, partition);
      const cleanings = waiting.filter(({ providerUid }) => providerUid === uid);
      const inUse = uses[index];
      const { cleaningMs } = deps;
      const state = { provider: name, known, cleanings, inUse, cleaningMs };
      states.push(providerStateMessage(state, deps.store.incarnation()));
    }
  }
  return states;
};

/** Undefined where the scheduler cannot be asked: the decided state is still shown then. */
const isInUse = async (
  { scheduler }: ProviderRpcDeps,
  { partition, uid: providerUid }: ProviderView,
  signal: AbortSignal,
): Promise<boolean | undefined> => {
  try {
    return (await scheduler.usage({ partition, providerUid }, signal))?.inUse ?? false;
  } catch (error) {
    if (signal.aborted || !isDomainError(error)) throw error;
    return undefined;
  }
};
