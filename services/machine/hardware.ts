/** Everything that works at management controllers, put together for main.ts. */
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import type { Connect } from '../runtime/service.ts';
import type { SqlStore } from '../store/sql/open.ts';
import type { AgentHub } from './agent-port.ts';
import type { ProviderView } from './domain/capacity.ts';
import type { HardwareTask } from './domain/hardware-task.ts';
import type { InventoryPort, SchedulerPort, SecretPort } from './neighbours-port.ts';
import type { Controllers, Orders } from './order-port.ts';
import type { Records } from './ports.ts';
import { createCleanTask } from './work/clean-task.ts';
import type { CleaningHook } from './work/cleaning-hook.ts';
import type { CredentialNews } from './work/credential-news.ts';
import { createInspectTask } from './work/inspect-task.ts';
import type { OrderHub } from './work/order-hub.ts';
import { createOrders } from './work/orders.ts';
import { createRotateTask } from './work/rotate-task.ts';
import { createTaskRunner, type TaskRunner } from './work/task-runner.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly connect: Connect;
  readonly secrets: SecretPort;
  readonly inventory: InventoryPort;
  readonly scheduler: SchedulerPort;
  /** Undefined: an operator says when a server is clean. */
  readonly hook: CleaningHook | undefined;
  readonly hub: Pick<AgentHub, 'sessionOf'>;
  readonly orderHub: OrderHub;
  readonly controllers: Controllers;
  readonly credentials: CredentialNews;
  readonly replicaId: string;
  readonly leaseMs: number;
  readonly dueMs: number;
  readonly find: (providerUid: string) => ProviderView | undefined;
};

export type Hardware = { readonly orders: Orders; readonly tasks: TaskRunner };

/** Steps of tasks that run at the same time at this replica; each waits for an agent mostly. */
const TASKS_MAX = 128;

export const createHardware = (deps: Deps): Hardware => {
  const { orderHub, replicaId, find, inventory } = deps;
  const orders = createOrders({ ...deps, orders: orderHub });
  const findProvider = async (
    { providerUid, partition }: Pick<HardwareTask, 'providerUid' | 'partition'>,
    signal: AbortSignal,
  ) =>
    find(providerUid) ??
    (await inventory.findProvider(`partitions/${partition}/providers/${providerUid}`, signal));
  const tasks = createTaskRunner({
    ...deps,
    owner: replicaId,
    concurrencyMax: TASKS_MAX,
    handlers: {
      inspect: createInspectTask({ ...deps, orders }),
      clean: createCleanTask({ ...deps, orders }),
      rotate: createRotateTask({ ...deps, orders, findProvider }),
    },
  });
  return { orders, tasks };
};
