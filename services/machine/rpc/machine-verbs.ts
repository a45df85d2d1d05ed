/** The verbs on a machine: what is wanted and the operation, in the transaction of the request. */
import type { HandlerContext } from '@connectrpc/connect';
import type { Operation as OperationMessage } from '../../../gen/runmachine/common/v1/operation_pb.ts';
import type { Machine as MachineMessage } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { accessOf } from '../../runtime/context.ts';
import { namePattern } from '../../runtime/names.ts';
import type { RequestKey } from '../../runtime/request-key.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import { type AcceptedVerb, acceptVerb } from '../accept-verb.ts';
import { type Machine, machineName } from '../domain/machine.ts';
import type { VerbRequest } from '../domain/verbs.ts';
import { machineMessage } from './machine-message.ts';
import { operationMessage } from './operation-message.ts';
import { actorOf, callerOf, missing, type RpcDeps } from './rpc-deps.ts';

const pattern = namePattern('partitions/{partition}/projects/{project}/machines/{machine}');

type Named = { readonly name: string; readonly context: HandlerContext };

/** The machine of that name or uid, if the caller may know it. Errors: not_found. */
export const findVisible = async (
  { records }: Pick<RpcDeps, 'records'>,
  reader: Reader,
  { name, context }: Named,
): Promise<Machine> => {
  const path = pattern.parse(name);
  const machine = path === undefined ? undefined : await records.machines.findByPath(reader, path);
  const isVisible =
    machine !== undefined &&
    accessOf(context).covers({ partition: machine.partition, project: machine.project });
  if (!isVisible) throw missing(name, 'runm.machine');
  return machine;
};

export type VerbAnswer = {
  readonly operation?: OperationMessage;
  readonly machine: MachineMessage;
};

export type VerbCall<T> = {
  readonly name: string;
  readonly etag: string;
  readonly request: Omit<VerbRequest, 'nowMs'>;
  /** May refuse the locked machine. */
  readonly guard?: (tx: Tx, machine: Machine) => Promise<void>;
  readonly key: RequestKey<T> | undefined;
  readonly answer: (given: VerbAnswer) => T;
};

/** Errors: not_found, aborted ETAG_MISMATCH or BUSY, failed_precondition INVALID_STATE. */
export const runVerb = async <T>(
  deps: RpcDeps,
  call: VerbCall<T>,
  context: HandlerContext,
): Promise<T> => {
  let wakes: string | undefined;
  const answered = await deps.store.transaction(call.key, actorOf(context), async (tx) => {
    const { uid } = await findVisible(deps, tx, { name: call.name, context });
    const machine = await deps.records.machines.lock(tx, uid);
    if (machine === undefined || machine.state === 'gone') {
      throw missing(call.name, 'runm.machine');
    }
    const incarnation = deps.store.incarnation();
    checkEtag(call.etag, etagOf({ uid, version: machine.version - 1 }, incarnation));
    await call.guard?.(tx, machine);
    const nowMs = deps.clock.now().getTime();
    const accepted = await acceptVerb(deps, tx, {
      machine,
      request: { ...call.request, nowMs },
      caller: callerOf(context),
    });
    if (accepted.kind === 'accepted') {
      wakes = accepted.operation.uid;
      tx.audit({
        action: `machine.${call.request.verb}`,
        objectKind: 'machine',
        objectUid: uid,
        objectName: machineName(machine),
        projectUid: machine.project,
        partition: machine.partition,
        before: { state: machine.state },
        after: { state: accepted.machine.state },
      });
    }
    return call.answer(answerOf(deps, accepted));
  });
  if (wakes !== undefined) deps.wake(wakes);
  return answered;
};

const answerOf = (deps: RpcDeps, accepted: AcceptedVerb): VerbAnswer => {
  const incarnation = deps.store.incarnation();
  const machine = machineMessage(accepted.machine, incarnation);
  return accepted.kind === 'already'
    ? { machine }
    : { machine, operation: operationMessage(accepted.operation, incarnation) };
};
