import { create } from '@bufbuild/protobuf';
import { anyPack, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Code } from '@connectrpc/connect';
import { StatusSchema } from '../../../gen/google/rpc/status_pb.ts';
import {
  type Operation as OperationMessage,
  OperationSchema,
  StepState as StepStateMessage,
} from '../../../gen/runmachine/common/v1/operation_pb.ts';
import { MachineSchema } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import { DomainError } from '../../runtime/errors.ts';
import { toConnectError } from '../../runtime/rpc/error-mapping.ts';
import type { Machine } from '../domain/machine.ts';
import {
  type Failure,
  type Operation,
  operationName,
  type StepState,
} from '../domain/operation.ts';
import { at, given, machineMessage } from './machine-message.ts';

const STEP: Readonly<Record<StepState, StepStateMessage>> = {
  pending: StepStateMessage.PENDING,
  running: StepStateMessage.RUNNING,
  done: StepStateMessage.DONE,
  failed: StepStateMessage.FAILED,
};

export const operationMessage = (operation: Operation, incarnation: number): OperationMessage =>
  create(OperationSchema, {
    name: operationName(operation.partition, operation.uid),
    done: operation.endMs !== null,
    result: resultOf(operation, incarnation),
    metadata: {
      target: operation.target,
      targetUid: operation.targetUid,
      verb: operation.verb,
      createTime: timestampFromMs(operation.createMs),
      ...given('endTime', at(operation.endMs)),
      caller: operation.caller.principal,
      steps: operation.steps.map((step) => ({
        name: step.name,
        state: STEP[step.state],
        ...given('startTime', at(step.startMs)),
        ...given('endTime', at(step.endMs)),
        note: step.note,
      })),
      cancelRequested: operation.cancelRequested,
      attempt: operation.attempt,
      deadline: timestampFromMs(operation.deadlineMs),
    },
  });

const resultOf = (operation: Operation, incarnation: number) => {
  if (operation.endMs === null) return { case: undefined };
  if (operation.failure !== null) {
    return { case: 'error' as const, value: statusOf(operation.failure) };
  }
  const machine = machineMessage(operation.response as Machine, incarnation);
  return { case: 'response' as const, value: anyPack(MachineSchema, machine) };
};

/** The failure with the same code and details as an RPC error would have. */
const statusOf = (failure: Failure) => {
  const { kind, reason, message, metadata, removedBy } = failure;
  const error = toConnectError(
    new DomainError(kind, reason, message, {
      metadata,
      ...given('removedBy', removedBy ?? undefined),
    }),
  );
  const code: Code = error.code;
  return create(StatusSchema, {
    code,
    message: error.rawMessage,
    details: error.details.flatMap((detail) =>
      'desc' in detail
        ? [anyPack(detail.desc, create(detail.desc, detail.value))]
        : [{ typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value }],
    ),
  });
};
