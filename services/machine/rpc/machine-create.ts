/**
 * CreateMachine: the machine's row, its operation and the answer in one transaction; the work comes
 * after.
 */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type CreateMachineRequest,
  type CreateMachineResponse,
  CreateMachineResponseSchema,
} from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { requestKeyOf } from '../../runtime/context.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import { isUid, namePattern } from '../../runtime/names.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { imageOf, resolveBoot } from '../domain/boot-source.ts';
import type { Image } from '../domain/image.ts';
import { type Machine, type MachineSpec, machineName } from '../domain/machine.ts';
import { begin, newOperation } from '../domain/operation.ts';
import { checkSpec } from '../domain/spec.ts';
import type { Parent } from '../ports.ts';
import { type Creation, type Creations, insertCreations } from './creations.ts';
import { machineMessage, propertiesOf, specOf } from './machine-message.ts';
import { operationMessage } from './operation-message.ts';
import type { Places } from './places.ts';
import { actorOf, callerOf, missing, type RpcDeps } from './rpc-deps.ts';

export const parentPattern = namePattern('partitions/{partition}/projects/{project}');
const sharedImage = namePattern('images/{image}');
const projectImage = namePattern('partitions/{partition}/projects/{project}/images/{image}');

export type CreateDeps = RpcDeps & {
  readonly places: Places;
  /** Who runs what is accepted here. */
  readonly owner: string;
  readonly leaseMs: number;
  readonly wakeFirst: (operationUid: string) => void;
  readonly creations: Creations;
};

export const createMachine = async (
  deps: CreateDeps,
  request: CreateMachineRequest,
  context: HandlerContext,
): Promise<CreateMachineResponse> => {
  const parent = parentPattern.parse(request.parent);
  if (parent === undefined) throw noPlace(request.parent);
  const spec = specOf(request.machine?.spec);
  checkSpec(spec);
  if (isUid(request.machineId)) throw looksLikeUid();
  const place = await deps.places.resolve(parent, context);
  if (request.validateOnly) {
    const image = await deps.store.read((reader) => findImage(deps, reader, { spec, place }));
    const machine = newMachine(deps, request, { spec, place, image });
    return create(CreateMachineResponseSchema, { machine: message(deps, machine) });
  }
  const made = { deps, request, context, spec, place };
  const response = await accept(made);
  const operation = response.operation?.name.split('machine-').at(-1);
  if (operation !== undefined) deps.wakeFirst(operation);
  return response;
};

type Making = {
  readonly deps: CreateDeps;
  readonly request: CreateMachineRequest;
  readonly context: HandlerContext;
  readonly spec: MachineSpec;
  readonly place: Parent;
};

const accept = (making: Making): Promise<CreateMachineResponse> => {
  const { deps, context, spec, place } = making;
  const key = requestKeyOf(context, CreateMachineResponseSchema);
  const actor = actorOf(context);
  if (key !== undefined && imageOf(spec.boot) === undefined) {
    const made = creationOf(making, undefined);
    return deps.creations.add({ key, actor, answer: answerOf(deps, made), creation: made });
  }
  return deps.store.transaction(key, actor, async (tx) => {
    const found = await findImage(deps, tx, { spec, place });
    // Held until the commit, so that a deletion of the image cannot come between.
    const image = found === undefined ? undefined : await deps.records.images.hold(tx, found.uid);
    const creation = creationOf(making, image);
    await insertCreations(deps, [{ tx, creation }]);
    return answerOf(deps, creation);
  });
};

const message = (deps: RpcDeps, machine: Machine) =>
  machineMessage(machine, deps.store.incarnation());

type Wanted = {
  readonly spec: MachineSpec;
  readonly place: Parent;
  readonly image: Image | undefined;
};

const newMachine = (
  { random, clock }: RpcDeps,
  request: CreateMachineRequest,
  { spec, place, image }: Wanted,
): Machine => {
  const nowMs = clock.now().getTime();
  return {
    uid: random.uid(),
    version: 1,
    ...place,
    machineId: request.machineId,
    generation: 1,
    createMs: nowMs,
    updateMs: nowMs,
    deleteMs: null,
    properties: propertiesOf(request.machine?.properties ?? {}),
    tags: request.machine?.tags ?? [],
    spec,
    resolved: resolveBoot(spec, image),
    state: 'requested',
    stateMs: nowMs,
    problem: null,
    operationUid: null,
    holding: null,
    wanted: { power: 'on', bootGeneration: 1, forceAfterMs: null },
    observed: null,
    readyMs: null,
  };
};

const creationOf = (
  { deps, request, context, spec, place }: Making,
  image: Image | undefined,
): Creation => {
  const { random, owner, leaseMs } = deps;
  const made = newMachine(deps, request, { spec, place, image });
  const { partition, project, uid: targetUid, createMs } = made;
  const target = machineName(made);
  const caller = callerOf(context);
  const accepted = newOperation(
    { uid: random.uid(), partition, project, verb: 'create', target, targetUid, caller },
    createMs,
  );
  // Whoever runs it asks the scheduler at once.
  const operation = begin(accepted, 'claim', createMs);
  const machine = { ...made, operationUid: operation.uid };
  return { machine, operation, grip: { owner, untilMs: createMs + leaseMs } };
};

const answerOf = (deps: RpcDeps, { machine, operation }: Creation): CreateMachineResponse =>
  create(CreateMachineResponseSchema, {
    operation: operationMessage(operation, deps.store.incarnation()),
    machine: message(deps, machine),
  });

type Sought = { readonly spec: MachineSpec; readonly place: Parent };

/** The image that the spec names, if the machine's project may use it. Errors: not_found. */
export const findImage = async (
  { records }: RpcDeps,
  reader: Reader,
  { spec, place }: Sought,
): Promise<Image | undefined> => {
  const name = imageOf(spec.boot);
  if (name === undefined) return undefined;
  const of = projectImage.parse(name) ?? sharedImage.parse(name);
  const image = await records.images.find(reader, of?.image ?? name);
  const isIts =
    image !== undefined &&
    (image.project === '' || image.project.toLowerCase() === place.project.toLowerCase());
  if (!isIts) throw missing(name, 'runm.image');
  return image;
};

const noPlace = (parent: string) =>
  invalidArgument('INVALID_FIELD', `parent: "${parent}" is no name of a project in a partition`, {
    metadata: { field: 'parent' },
    violations: [{ field: 'parent', description: 'must end its segments in a letter or digit' }],
  });

const looksLikeUid = () =>
  invalidArgument('INVALID_FIELD', 'machine_id: a name must not look like a uid', {
    metadata: { field: 'machine_id' },
    violations: [{ field: 'machine_id', description: 'must not look like a uid' }],
  });
