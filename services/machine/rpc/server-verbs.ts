/** SetMachineBootDevice and ForceFailMachine. */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type ForceFailMachineRequest,
  ForceFailMachineResponseSchema,
  type SetMachineBootDeviceRequest,
  SetMachineBootDeviceResponseSchema,
} from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { requestKeyOf } from '../../runtime/context.ts';
import { failedPrecondition } from '../../runtime/errors.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { bootDeviceOf } from '../boot-device-message.ts';
import { event } from '../domain/event.ts';
import { forceFailed, forceFailure } from '../domain/force-fail.ts';
import { isMetal, type Machine, machineName, want } from '../domain/machine.ts';
import { fail } from '../domain/operation.ts';
import { machineMessage } from './machine-message.ts';
import { findVisible } from './machine-verbs.ts';
import { actorOf, callerOf, missing, type RpcDeps } from './rpc-deps.ts';

type Named = { readonly name: string; readonly etag: string; readonly context: HandlerContext };

const lock = async (deps: RpcDeps, tx: Tx, { name, etag, context }: Named): Promise<Machine> => {
  const { uid } = await findVisible(deps, tx, { name, context });
  const machine = await deps.records.machines.lock(tx, uid);
  if (machine === undefined || machine.state === 'gone') throw missing(name, 'runm.machine');
  // Locking raised the version; the etag that the caller saw is of the one before.
  checkEtag(etag, etagOf({ uid, version: machine.version - 1 }, deps.store.incarnation()));
  return machine;
};

const audited = (machine: Machine) => ({
  objectKind: 'machine' as const,
  objectUid: machine.uid,
  objectName: machineName(machine),
  projectUid: machine.project,
  partition: machine.partition,
});

/** Errors: not_found, aborted ETAG_MISMATCH, failed_precondition INVALID_STATE. */
export const setBootDevice = (
  deps: RpcDeps,
  { name, etag, bootDevice }: SetMachineBootDeviceRequest,
  context: HandlerContext,
) => {
  const key = requestKeyOf(context, SetMachineBootDeviceResponseSchema);
  return deps.store.transaction(key, actorOf(context), async (tx) => {
    const machine = await lock(deps, tx, { name, etag, context });
    if (!isMetal(machine)) throw notAServer(machine);
    const device = bootDeviceOf(bootDevice);
    const { bootDevice: before, ...rest } = machine.wanted;
    const wanted = { ...rest, ...(device !== undefined && { bootDevice: device }) };
    const changed = want({ ...machine, wanted }, {});
    const { principal } = callerOf(context);
    const nowMs = deps.clock.now().getTime();
    const word = device?.type ?? 'as its firmware is set up';
    const message = `${principal} set from what it boots next: ${word}`;
    const events = [event(nowMs, { type: 'machine.boot_device_set', message })];
    const change = { machine: changed, events, assignment: null, principal, operation: '' };
    await deps.writer.write(tx, change);
    await deps.writer.renewAssignment(tx, changed);
    tx.audit({
      ...audited(machine),
      action: 'machine.set_boot_device',
      before: { boot_device: before ?? null },
      after: { boot_device: device ?? null },
    });
    return create(SetMachineBootDeviceResponseSchema, {
      machine: machineMessage(changed, deps.store.incarnation()),
    });
  });
};

const notAServer = (machine: Machine) =>
  failedPrecondition(
    'INVALID_STATE',
    `"${machineName(machine)}" is a virtual machine: it boots from what spec.boot says`,
    { metadata: { name: machineName(machine) } },
  );

/** Errors: not_found, failed_precondition INVALID_STATE. */
export const forceFailMachine = (
  deps: RpcDeps,
  { name, reason }: ForceFailMachineRequest,
  context: HandlerContext,
) => {
  const key = requestKeyOf(context, ForceFailMachineResponseSchema);
  return deps.store.transaction(key, actorOf(context), async (tx) => {
    const machine = await lock(deps, tx, { name, etag: '', context });
    const { principal } = callerOf(context);
    const nowMs = deps.clock.now().getTime();
    const said = { reason, principal, nowMs };
    const failed = forceFailed(machine, said);
    const failure = forceFailure(said);
    const { operationUid } = machine;
    const running =
      operationUid === null ? undefined : await deps.records.operations.lock(tx, operationUid);
    if (running !== undefined && running.endMs === null) {
      await deps.records.operations.saveTaking(tx, fail(running, nowMs, failure));
    }
    const { message } = failure;
    const events = [event(nowMs, { type: 'machine.force_failed', severity: 'error', message })];
    const change = { machine: failed, events, assignment: null, principal, operation: '' };
    await deps.writer.write(tx, change);
    tx.audit({
      ...audited(machine),
      action: 'machine.force_fail',
      before: { state: machine.state, operation: operationUid },
      after: { state: failed.state, reason },
    });
    return create(ForceFailMachineResponseSchema, {
      machine: machineMessage(failed, deps.store.incarnation()),
    });
  });
};
