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
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import { imageOf, resolveBoot } from '../domain/boot-source.ts';
import { event } from '../domain/event.ts';
import type { Image } from '../domain/image.ts';
import { type Machine, type MachineSpec, machineName } from '../domain/machine.ts';
import { begin, newOperation, operationName } from '../domain/operation.ts';
import { checkSpec } from '../domain/spec.ts';
import type { Parent } from '../ports.ts';
import { machineMessage, propertiesOf, specOf } from './machine-message.ts';
import { operationMessage } from './operation-message.ts';
import type { Places } from './places.ts';
import { actorOf, callerOf, missing, type RpcDeps } from './rpc-deps.ts';

export const parentPattern = namePattern('partitions/{partition}/projects/{project}');
const sharedImage = namePattern('images/{image}');
const projectImage = namePattern('partitions/{partition}/projects/{project}/images/{image}');

export const createMachine = async (
  deps: RpcDeps & { readonly places: Places },
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
  const key = requestKeyOf(context, CreateMachineResponseSchema);
  const response = await deps.store.transaction(key, actorOf(context), async (tx) => {
    const found = await findImage(deps, tx, { spec, place });
    // Held until the commit, so that a deletion of the image cannot come between.
    const image = found === undefined ? undefined : await deps.records.images.hold(tx, found.uid);
    const machine = newMachine(deps, request, { spec, place, image });
    return insert(deps, tx, { machine, context });
  });
  const operation = response.operation?.name.split('machine-').at(-1);
  if (operation !== undefined) deps.wake(operation);
  return response;
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

type Inserted = { readonly machine: Machine; readonly context: HandlerContext };

const insert = async (
  deps: RpcDeps,
  tx: Tx,
  { machine: made, context }: Inserted,
): Promise<CreateMachineResponse> => {
  const { records, writer, random } = deps;
  const caller = callerOf(context);
  const { partition, project, uid: targetUid, createMs } = made;
  const accepted = newOperation(
    {
      uid: random.uid(),
      partition,
      project,
      verb: 'create',
      target: machineName(made),
      targetUid,
      caller,
    },
    createMs,
  );
  // Whoever runs it asks the scheduler at once.
  const operation = begin(accepted, 'claim', createMs);
  const machine = { ...made, operationUid: operation.uid };
  await records.machines.insert(tx, machine);
  await records.operations.insert(tx, operation);
  const events = [
    event(createMs, { type: 'machine.requested', message: `${caller.principal} asked for it` }),
  ];
  const name = operationName(partition, operation.uid);
  await writer.tell(tx, { machine, events, principal: caller.principal, operation: name });
  tx.audit({
    action: 'machine.create',
    objectKind: 'machine',
    objectUid: machine.uid,
    objectName: machineName(machine),
    projectUid: project,
    partition,
    after: { spec: machine.spec, tags: machine.tags },
  });
  return create(CreateMachineResponseSchema, {
    operation: operationMessage(operation, deps.store.incarnation()),
    machine: message(deps, machine),
  });
};

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
