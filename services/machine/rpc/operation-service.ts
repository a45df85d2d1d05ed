import { create } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import type { HandlerContext } from '@connectrpc/connect';
import { OperationSchema } from '../../../gen/runmachine/common/v1/operation_pb.ts';
import {
  type CancelOperationRequest,
  CancelOperationResponseSchema,
  type ListOperationsRequest,
  OperationService,
  type WaitOperationRequest,
} from '../../../gen/runmachine/machine/v1/operation_service_pb.ts';
import { accessOf, callOf, requestKeyOf } from '../../runtime/context.ts';
import { ANY, isUid, namePattern } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { isDone, type Operation, operationName } from '../domain/operation.ts';
import { operationMessage } from './operation-message.ts';
import { actorOf, cutPage, missing, pageFor, type RpcDeps } from './rpc-deps.ts';

export type OperationRpcDeps = RpcDeps & {
  /** Resolves when the operation changes, or after that long. */
  readonly changed: (uid: string, afterMs: number, signal: AbortSignal) => Promise<void>;
};

const pattern = namePattern('partitions/{partition}/operations/{operation}');
const parentPattern = namePattern('partitions/{partition}');
const WAIT_MS_MAX = 60_000;
/** The change may be told before the feed runs here; then this is how late the answer is. */
const LOOK_MS = 2_000;
/** The answer must still reach the caller before his deadline. */
const ANSWER_MS = 500;

type Named = { readonly name: string; readonly context: HandlerContext };

export const operationRpc = (deps: OperationRpcDeps): Implementation => {
  const message = (operation: Operation) => operationMessage(operation, deps.store.incarnation());
  const read = (named: Named) => deps.store.read((reader) => find(deps, reader, named));
  return implement(OperationService, {
    getOperation: async ({ name }, context) => ({
      operation: message(await read({ name, context })),
    }),
    listOperations: (request, context) => list(deps, request, context),
    waitOperation: async (request, context) => ({
      operation: message(await wait(deps, request, context)),
    }),
    cancelOperation: (request, context) => cancel(deps, request, context),
  });
};

/** "machine-{uuid}" or the uuid. */
const uidOf = (id: string): string => {
  const uid = id.startsWith('machine-') ? id.slice('machine-'.length) : id;
  return isUid(uid) ? uid.toLowerCase() : '';
};

const find = async (
  { records }: RpcDeps,
  reader: Reader,
  { name, context }: Named,
): Promise<Operation> => {
  const path = pattern.parse(name);
  const uid = uidOf(path?.operation ?? '');
  const operation = uid === '' ? undefined : await records.operations.find(reader, uid);
  const isIts =
    operation !== undefined &&
    operation.partition.toLowerCase() === path?.partition.toLowerCase() &&
    accessOf(context).covers({ partition: operation.partition, project: operation.project });
  if (!isIts) throw missing(name, 'runm.operation');
  return operation;
};

const list = async (
  deps: OperationRpcDeps,
  request: ListOperationsRequest,
  context: HandlerContext,
) => {
  const { parent, targetUid, runningOnly } = request;
  const page = pageFor(deps, request, { parent, targetUid, runningOnly });
  const filter = {
    partition: parentPattern.parse(parent)?.partition ?? ANY,
    access: accessOf(context),
    targetUid: targetUid.toLowerCase(),
    runningOnly,
  };
  const rows = await deps.store.read((reader) =>
    deps.records.operations.list(reader, filter, page),
  );
  const { messages, nextPageToken } = cutPage({
    page,
    rows,
    keyOf: ({ id }) => [id],
    schema: OperationSchema,
    message: ({ operation }) => operationMessage(operation, deps.store.incarnation()),
  });
  return { operations: messages, nextPageToken };
};

const wait = async (
  deps: OperationRpcDeps,
  request: WaitOperationRequest,
  context: HandlerContext,
): Promise<Operation> => {
  const { name } = request;
  const askedMs = request.timeout === undefined ? WAIT_MS_MAX : durationMs(request.timeout);
  const leftMs = (callOf(context).remainingMs() ?? WAIT_MS_MAX) - ANSWER_MS;
  const endMs = deps.clock.monotonicMs() + Math.min(askedMs, WAIT_MS_MAX, leftMs);
  for (;;) {
    const operation = await deps.store.read((reader) => find(deps, reader, { name, context }));
    const restMs = endMs - deps.clock.monotonicMs();
    if (isDone(operation) || restMs <= 0) return operation;
    await deps.changed(operation.uid, Math.min(restMs, LOOK_MS), context.signal);
  }
};

const cancel = async (
  deps: OperationRpcDeps,
  { name }: CancelOperationRequest,
  context: HandlerContext,
) => {
  const key = requestKeyOf(context, CancelOperationResponseSchema);
  let wakes: string | undefined;
  const response = await deps.store.transaction(key, actorOf(context), async (tx) => {
    const { uid } = await find(deps, tx, { name, context });
    const operation = await deps.records.operations.lock(tx, uid);
    if (operation === undefined) throw missing(name, 'runm.operation');
    const isOver = isDone(operation) || operation.cancelRequested;
    const asked = isOver ? operation : { ...operation, cancelRequested: true };
    if (!isOver) {
      // Takes the lease away, so that whoever runs it now decides anew before it writes anything.
      await deps.records.operations.saveTaking(tx, asked);
      wakes = uid;
    }
    tx.audit({
      action: 'operation.cancel',
      objectKind: 'operation',
      objectUid: uid,
      objectName: operationName(operation.partition, uid),
      projectUid: operation.project,
      partition: operation.partition,
    });
    return create(CancelOperationResponseSchema, {
      operation: operationMessage(asked, deps.store.incarnation()),
    });
  });
  if (wakes !== undefined) deps.wake(wakes);
  return response;
};
