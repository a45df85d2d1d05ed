/**
 * UpdateMachine: what a tenant may change after creation. What is claimed (size, provider, claim)
 * stays as it is.
 */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { MachineSchema } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import {
  type UpdateMachineRequest,
  type UpdateMachineResponse,
  UpdateMachineResponseSchema,
} from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { requestKeyOf } from '../../runtime/context.ts';
import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import { resourceMask } from '../../runtime/mask.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { resolveBoot } from '../domain/boot-source.ts';
import { event } from '../domain/event.ts';
import { type Machine, machineName } from '../domain/machine.ts';
import { checkSpec } from '../domain/spec.ts';
import { findImage } from './machine-create.ts';
import { machineMessage, propertiesOf, specOf } from './machine-message.ts';
import { findVisible } from './machine-verbs.ts';
import { actorOf, callerOf, missing, type RpcDeps } from './rpc-deps.ts';

const MASK = resourceMask(MachineSchema);
const FIXED = ['type', 'cpus', 'memory_bytes', 'disk_bytes', 'claim', 'provider'];

export const updateMachine = async (
  deps: RpcDeps,
  request: UpdateMachineRequest,
  context: HandlerContext,
): Promise<UpdateMachineResponse> => {
  MASK.check(request.updateMask);
  for (const path of request.updateMask?.paths ?? []) refuseFixed(path);
  const key = requestKeyOf(context, UpdateMachineResponseSchema);
  const incarnation = deps.store.incarnation();
  if (request.validateOnly) {
    const name = request.machine?.name ?? '';
    const found = await deps.store.read((reader) => findVisible(deps, reader, { name, context }));
    const machine = changed(found, request, incarnation);
    return create(UpdateMachineResponseSchema, { machine: machineMessage(machine, incarnation) });
  }
  return deps.store.transaction(key, actorOf(context), async (tx) => {
    const machine = await update(deps, tx, { request, context });
    return create(UpdateMachineResponseSchema, { machine: machineMessage(machine, incarnation) });
  });
};

type Asked = { readonly request: UpdateMachineRequest; readonly context: HandlerContext };

const update = async (deps: RpcDeps, tx: Tx, { request, context }: Asked): Promise<Machine> => {
  const name = request.machine?.name ?? '';
  const { uid } = await findVisible(deps, tx, { name, context });
  const before = await deps.records.machines.lock(tx, uid);
  if (before === undefined) throw missing(name, 'runm.machine');
  const incarnation = deps.store.incarnation();
  // Locking raised the version; the etag that the caller saw is of the one before.
  checkEtag(request.machine?.etag ?? '', etagOf({ uid, version: before.version - 1 }, incarnation));
  if (before.state === 'releasing' || before.state === 'gone') throw leaving(before);
  const wanted = changed(before, request, incarnation);
  checkSpec(wanted.spec);
  const isSpec = JSON.stringify(wanted.spec) !== JSON.stringify(before.spec);
  const after = isSpec ? await respecified(deps, tx, wanted) : wanted;
  const { principal } = callerOf(context);
  const nowMs = deps.clock.now().getTime();
  await deps.writer.write(tx, {
    machine: after,
    events: [event(nowMs, { type: 'machine.updated', message: `${principal} changed it` })],
    assignment: null,
    principal,
    operation: '',
  });
  if (isSpec) await deps.writer.renewAssignment(tx, after);
  tx.audit({
    action: 'machine.update',
    objectKind: 'machine',
    objectUid: uid,
    objectName: machineName(after),
    projectUid: after.project,
    partition: after.partition,
    before: { spec: before.spec, tags: before.tags, properties: before.properties },
    after: { spec: after.spec, tags: after.tags, properties: after.properties },
  });
  return after;
};

/**
 * The new spec takes effect with the next boot: the agent compares the boot generation, which does
 * not grow here.
 */
const respecified = async (deps: RpcDeps, tx: Tx, machine: Machine): Promise<Machine> => {
  const { spec, partition, project } = machine;
  const found = await findImage(deps, tx, { spec, place: { partition, project } });
  const image = found === undefined ? undefined : await deps.records.images.hold(tx, found.uid);
  return {
    ...machine,
    generation: machine.generation + 1,
    resolved: { ...resolveBoot(spec, image), diskBytes: machine.resolved.diskBytes },
  };
};

const changed = (machine: Machine, request: UpdateMachineRequest, incarnation: number): Machine => {
  const onto = machineMessage(machine, incarnation);
  const message = MASK.apply(request.updateMask, request.machine ?? onto, onto);
  return {
    ...machine,
    spec: specOf(message.spec),
    properties: propertiesOf(message.properties),
    tags: message.tags,
  };
};

const refuseFixed = (path: string): void => {
  const [first, field = ''] = path.split('.');
  if (first !== 'spec' || !FIXED.includes(field)) return;
  throw invalidArgument(
    'INVALID_FIELD',
    `update_mask: "${path}" cannot be changed after creation; create another machine`,
    {
      metadata: { field: 'update_mask', path },
      violations: [{ field: 'update_mask', description: `"${path}" cannot be changed` }],
    },
  );
};

const leaving = (machine: Machine) =>
  failedPrecondition(
    'INVALID_STATE',
    `Cannot update "${machineName(machine)}": it is being deleted`,
    {
      invalidState: { state: machine.state.toUpperCase(), allowed: [] },
      metadata: { name: machineName(machine) },
    },
  );
