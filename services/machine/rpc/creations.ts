/**
 * New machines with their operations. What is asked for while a transaction is under way is written
 * together by the next: that costs about the same for one machine and for many.
 */
import type { CreateMachineResponse } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { nextTurn } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { AnsweredRequest } from '../../store/sql/request-row.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { event } from '../domain/event.ts';
import { type Machine, machineName } from '../domain/machine.ts';
import { type Operation, operationName } from '../domain/operation.ts';
import type { Grip } from '../operation-ports.ts';
import type { RpcDeps } from './rpc-deps.ts';

type Deps = Pick<RpcDeps, 'store' | 'records' | 'writer'>;

export type Creation = {
  readonly machine: Machine;
  readonly operation: Operation;
  /** Who runs the operation from the start. */
  readonly grip: Pick<Grip, 'owner' | 'untilMs'>;
};

type Asked = AnsweredRequest<CreateMachineResponse> & { readonly creation: Creation };

export type Creations = {
  /** Errors: those of a transaction; already_exists. */
  readonly add: (asked: Asked) => Promise<CreateMachineResponse>;
};

type Waiting = {
  readonly asked: Asked;
  readonly done: PromiseWithResolvers<CreateMachineResponse>;
};

const TOGETHER_MAX = 64;

export const createCreations = (deps: Deps): Creations => {
  const waiting = new Set<Waiting>();
  let isRunning = false;
  const run = async (): Promise<void> => {
    isRunning = true;
    // Whatever else has come in by now goes along.
    await nextTurn();
    while (waiting.size > 0) {
      const batch = batchOf(waiting);
      for (const one of batch) waiting.delete(one);
      await settle(deps, batch);
    }
    isRunning = false;
  };
  return {
    add: (asked) => {
      const done = Promise.withResolvers<CreateMachineResponse>();
      waiting.add({ asked, done });
      if (!isRunning) void run();
      return done.promise;
    },
  };
};

/** A request that is repeated before it was answered waits for its first. */
const batchOf = (waiting: Iterable<Waiting>): readonly Waiting[] => {
  const batch = new Map<string, Waiting>();
  for (const one of waiting) {
    if (batch.size >= TOGETHER_MAX) break;
    const { requestId, caller } = one.asked.key;
    const name = `${requestId} ${caller}`;
    if (!batch.has(name)) batch.set(name, one);
  }
  return [...batch.values()];
};

const settle = async (deps: Deps, batch: readonly Waiting[]): Promise<void> => {
  const asked = batch.map((one) => one.asked);
  try {
    const answers = await deps.store.transactionForAll(asked, (txs) => {
      const first = [...txs].flatMap(([at, tx]) => {
        const one = asked[at];
        return one === undefined ? [] : [{ tx, creation: one.creation }];
      });
      return insertCreations(deps, first);
    });
    for (const [at, answer] of answers.entries()) batch[at]?.done.resolve(answer);
  } catch (error) {
    // One of them is the cause: alone it shows which, and the others are not refused with it.
    if (batch.length > 1 && !isDomainError(error, 'unavailable')) {
      for (const one of batch) await settle(deps, [one]);
    } else for (const one of batch) one.done.reject(error);
  }
};

type Inserted = { readonly tx: Tx; readonly creation: Creation };

/** Audit rows are written with the transaction of each. Errors: already_exists. */
export const insertCreations = async (
  { records, writer }: Deps,
  inserted: readonly Inserted[],
): Promise<void> => {
  const [first] = inserted;
  if (first === undefined) return;
  const { tx } = first;
  const all = inserted.map(({ creation }) => creation);
  await records.machines.insertMany(
    tx,
    all.map(({ machine }) => machine),
  );
  await records.operations.insertMany(tx, all);
  await writer.tell(
    tx,
    ...all.map(({ machine, operation }) => ({
      machine,
      events: [requested(operation)],
      principal: operation.caller.principal,
      operation: operationName(operation.partition, operation.uid),
    })),
  );
  for (const { tx: own, creation } of inserted) audit(own, creation.machine);
};

const requested = ({ createMs, caller }: Operation) =>
  event(createMs, { type: 'machine.requested', message: `${caller.principal} asked for it` });

const audit = (tx: Tx, machine: Machine): void =>
  tx.audit({
    action: 'machine.create',
    objectKind: 'machine',
    objectUid: machine.uid,
    objectName: machineName(machine),
    projectUid: machine.project,
    partition: machine.partition,
    after: { spec: machine.spec, tags: machine.tags },
  });
