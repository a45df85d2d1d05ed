import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import type { HandlerContext } from '@connectrpc/connect';
import { MachineSchema } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import {
  type DeleteMachineRequest,
  type DeleteMachineResponse,
  DeleteMachineResponseSchema,
  type ListMachinesRequest,
  MachineEventSchema,
  MachineService,
  PauseMachineResponseSchema,
  ResetMachineResponseSchema,
  ResumeMachineResponseSchema,
  ShutdownMachineResponseSchema,
  StartMachineResponseSchema,
  StopMachineResponseSchema,
  type WatchMachinesRequest,
} from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import type { Access } from '../../runtime/access.ts';
import { accessOf, requestKeyOf } from '../../runtime/context.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { ANY } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { type WatchEvents, watchResponses } from '../../runtime/watch.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { type Machine, machineName } from '../domain/machine.ts';
import { demandProvisionable } from '../domain/never-provision.ts';
import type { MachineFilter, Parent } from '../ports.ts';
import { demandNoConsole } from './console-guard.ts';
import { type CreateDeps, createMachine, parentPattern } from './machine-create.ts';
import { machineMessage, statesOf } from './machine-message.ts';
import { updateMachine } from './machine-update.ts';
import { findVisible, runVerb, type VerbAnswer, type VerbCall } from './machine-verbs.ts';
import { cutPage, pageFor, presentPages, type RpcDeps } from './rpc-deps.ts';
import { forceFailMachine, setBootDevice } from './server-verbs.ts';

type VerbDeps = RpcDeps & {
  readonly pools: { readonly find: (providerUid: string) => ProviderView | undefined };
};

export type MachineRpcDeps = CreateDeps &
  VerbDeps & {
    /** Ordering columns of a machine, for page tokens. */
    readonly pageKey: (machine: Machine) => readonly string[];
  };

type Named = { readonly name: string; readonly etag: string };

export const machineRpc = (deps: MachineRpcDeps): Implementation => {
  const message = (machine: Machine) => machineMessage(machine, deps.store.incarnation());
  return implement(MachineService, {
    getMachine: async ({ name }, context) => ({
      machine: message(
        await deps.store.read((reader) => findVisible(deps, reader, { name, context })),
      ),
    }),
    listMachines: (request, context) => list(deps, request, context),
    createMachine: (request, context) => createMachine(deps, request, context),
    updateMachine: (request, context) => updateMachine(deps, request, context),
    deleteMachine: (request, context) => remove(deps, request, context),
    watchMachines: (request, context) => watch(deps, request, context),
    setMachineBootDevice: (request, context) => setBootDevice(deps, request, context),
    forceFailMachine: (request, context) => forceFailMachine(deps, request, context),
    startMachine: (request, context) =>
      verb(deps, context, {
        request,
        verb: 'start',
        schema: StartMachineResponseSchema,
        answer: (given) => create(StartMachineResponseSchema, given),
      }),
    shutdownMachine: (request, context) =>
      verb(deps, context, {
        request,
        verb: 'shutdown',
        schema: ShutdownMachineResponseSchema,
        answer: (given) => create(ShutdownMachineResponseSchema, given),
      }),
    stopMachine: (request, context) => {
      const key = requestKeyOf(context, StopMachineResponseSchema);
      const { name, etag, forceAfter } = request;
      const stop = {
        verb: 'stop' as const,
        ...(forceAfter !== undefined && { forceAfterMs: durationMs(forceAfter) }),
      };
      const answer = (given: VerbAnswer) => create(StopMachineResponseSchema, given);
      return runVerb(deps, { name, etag, request: stop, key, answer }, context);
    },
    resetMachine: (request, context) =>
      verb(deps, context, {
        request,
        verb: 'reset',
        schema: ResetMachineResponseSchema,
        answer: (given) => create(ResetMachineResponseSchema, given),
      }),
    pauseMachine: (request, context) =>
      verb(deps, context, {
        request,
        verb: 'pause',
        schema: PauseMachineResponseSchema,
        answer: (given) => create(PauseMachineResponseSchema, given),
      }),
    resumeMachine: (request, context) =>
      verb(deps, context, {
        request,
        verb: 'resume',
        schema: ResumeMachineResponseSchema,
        answer: (given) => create(ResumeMachineResponseSchema, given),
      }),
  });
};

type Verb<D extends DescMessage> = {
  readonly request: Named;
  readonly verb: 'start' | 'shutdown' | 'reset' | 'pause' | 'resume';
  readonly schema: D;
  readonly answer: (given: VerbAnswer) => MessageShape<D>;
};

/** What boots a server anew. */
const BOOTS: ReadonlySet<string> = new Set(['start', 'reset']);

const verb = <D extends DescMessage>(
  deps: VerbDeps,
  context: HandlerContext,
  { request, verb: asked, schema, answer }: Verb<D>,
) => {
  const { name, etag } = request;
  const key = requestKeyOf(context, schema);
  const guard = async (_: unknown, { holding }: Machine): Promise<void> => {
    const provider = BOOTS.has(asked) && deps.pools.find(holding?.providerUid ?? '');
    if (provider) demandProvisionable(provider);
  };
  return runVerb(deps, { name, etag, request: { verb: asked }, guard, key, answer }, context);
};

const remove = async (
  deps: RpcDeps,
  { name, etag, allowMissing, force }: DeleteMachineRequest,
  context: HandlerContext,
): Promise<DeleteMachineResponse> => {
  const key = requestKeyOf(context, DeleteMachineResponseSchema);
  const answer = (given: Partial<VerbAnswer>) => create(DeleteMachineResponseSchema, given);
  try {
    const guard: VerbCall<DeleteMachineResponse>['guard'] = force
      ? undefined
      : (tx, machine) => demandNoConsole(deps, tx, machine);
    const call = { name, etag, request: { verb: 'delete' as const }, key, answer };
    return await runVerb(deps, { ...call, ...(guard && { guard }) }, context);
  } catch (error) {
    if (allowMissing && isDomainError(error, 'not_found')) return answer({});
    throw error;
  }
};

const parentOf = (parent: string): Parent =>
  parentPattern.parse(parent) ?? { partition: ANY, project: ANY };

const list = async (
  deps: MachineRpcDeps,
  request: ListMachinesRequest,
  context: HandlerContext,
) => {
  const states = statesOf(request.states);
  const page = pageFor(deps, request, { parent: request.parent, states });
  const filter = { parent: parentOf(request.parent), access: accessOf(context), states };
  const rows = await deps.store.read((reader) => deps.records.machines.list(reader, filter, page));
  const { messages, nextPageToken } = cutPage({
    page,
    rows,
    keyOf: deps.pageKey,
    schema: MachineSchema,
    message: (machine) => machineMessage(machine, deps.store.incarnation()),
  });
  return { machines: messages, nextPageToken };
};

const watch = (deps: MachineRpcDeps, request: WatchMachinesRequest, context: HandlerContext) => {
  const parent = parentOf(request.parent);
  const { store, records } = deps;
  const filter = (): MachineFilter => ({ parent, access: accessOf(context), states: [] });
  return watchResponses({
    resumeToken: request.resumeToken,
    signal: context.signal,
    head: () => store.changes.head(),
    present: () =>
      presentPages(
        (page) => store.read((reader) => records.machines.list(reader, filter(), page)),
        deps.pageKey,
      ),
    follow: (token) => store.changes.follow({ token, kinds: ['machine'], signal: context.signal }),
    load: async (uids) => {
      const rows = await store.read((reader) => records.machines.findMany(reader, uids));
      return rows.filter((machine) => isWithin(machine, filter()));
    },
    concerns: (change) => mayConcern(accessOf(context), change.projectUid ?? ''),
    identify: (machine) => ({ uid: machine.uid, name: machineName(machine) }),
    events: eventsOf(deps),
  });
};

const same = (asked: string, is: string): boolean =>
  asked === ANY || asked.toLowerCase() === is.toLowerCase();

const isWithin = (machine: Machine, { parent, access }: MachineFilter): boolean =>
  machine.state !== 'gone' &&
  same(parent.partition, machine.partition) &&
  same(parent.project, machine.project) &&
  access.covers({ partition: machine.partition, project: machine.project });

/** Whether a change of that project may be one that the caller sees; the row decides. */
export const mayConcern = (access: Access, project: string): boolean =>
  access.everything ||
  access.partitions.size > 0 ||
  [...access.projects, ...access.pairs.map((pair) => pair.project)].some((one) =>
    same(one, project),
  );

const eventsOf = (deps: RpcDeps): WatchEvents<Machine, ReturnType<typeof machineEvent>> => {
  const of = (machine: Machine) => machineMessage(machine, deps.store.incarnation());
  return {
    created: (machine) => machineEvent({ case: 'created', value: of(machine) }),
    updated: (machine) => machineEvent({ case: 'updated', value: of(machine) }),
    deleted: ({ uid, name, leftView }) =>
      machineEvent({ case: 'deleted', value: { uid, name, leftView } }),
    synced: () => machineEvent({ case: 'synced', value: {} }),
    bookmark: () => machineEvent({ case: 'bookmark', value: {} }),
  };
};

type EventInit = NonNullable<Parameters<typeof create<typeof MachineEventSchema>>[1]>;

const machineEvent = (event: NonNullable<EventInit['event']>) =>
  create(MachineEventSchema, { event });
