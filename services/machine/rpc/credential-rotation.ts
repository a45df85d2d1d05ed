import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type RotateProviderCredentialsRequest,
  RotateProviderCredentialsResponseSchema,
} from '../../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { requestKeyOf } from '../../runtime/context.ts';
import { failedPrecondition, unavailable } from '../../runtime/errors.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { demandController, sharersOf } from '../domain/controller.ts';
import { type HardwareTask, newTask } from '../domain/hardware-task.ts';
import type { InventoryPort } from '../neighbours-port.ts';
import { answered } from './answered.ts';
import { commandIdOf } from './hardware-change.ts';
import { actorOf, callerOf, type RpcDeps } from './rpc-deps.ts';
import { findVisibleProvider } from './visible-provider.ts';

export type RotateDeps = RpcDeps & {
  readonly inventory: Pick<InventoryPort, 'findProvider'>;
  readonly pools: {
    readonly inPartition: (partition: string) => readonly ProviderView[];
    readonly partitions: () => ReadonlySet<string>;
  };
  readonly tasks: { readonly nudge: () => void };
};

const POLL_MS = 100;

/** Begins the task, which goes on whatever becomes of this call, and waits for its end. */
export const rotateCredentials = async (
  deps: RotateDeps,
  request: RotateProviderCredentialsRequest,
  context: HandlerContext,
) => {
  const schema = RotateProviderCredentialsResponseSchema;
  const provider = await findVisibleProvider(deps, request.name, context);
  const { secret } = demandController(provider);
  if (secret === '') throw noSecret(provider.name);
  const earlier = await answered(deps.store, context, schema);
  if (earlier !== undefined) return earlier;
  demandOwnSecret(deps, provider);
  const { principal } = callerOf(context);
  const { uid: providerUid, partition } = provider;
  const uid = commandIdOf(context, request.requestId);
  const task = newTask(
    {
      uid,
      kind: 'rotate',
      providerUid,
      partition,
      subject: '',
      step: 'stage',
      principal,
      data: { secret },
    },
    deps.clock.now().getTime(),
  );
  const begun = await deps.store.transaction(undefined, actorOf(context), async (tx) => {
    const isNew = await deps.records.tasks.insert(tx, task);
    if (isNew) {
      tx.audit({
        action: 'provider.credentials_rotated',
        objectKind: 'provider',
        objectUid: providerUid,
        objectName: provider.name,
        partition,
        after: { secret, reason: request.reason },
      });
      return uid;
    }
    const open = await deps.records.tasks.open(tx, [providerUid]);
    return open.find(({ kind }) => kind === 'rotate')?.uid ?? uid;
  });
  deps.tasks.nudge();
  const ended = await endOf(deps, begun, context.signal);
  if (ended.failure !== null) throw failedPrecondition(ended.failure.reason, ended.failure.message);
  return deps.store.transaction(requestKeyOf(context, schema), actorOf(context), () =>
    Promise.resolve(create(schema, { secret })),
  );
};

/** Agents would sign in to the others with a password that was never set there. */
const demandOwnSecret = ({ pools }: RotateDeps, provider: ProviderView): void => {
  const all = [...pools.partitions()].flatMap((partition) => pools.inPartition(partition));
  const sharers = sharersOf(provider, all);
  if (sharers.length > 0) throw sharedSecret(provider, sharers);
};

const SHOWN = 3;

const sharedSecret = ({ name, controller }: ProviderView, sharers: readonly string[]) => {
  const id = name.slice(name.lastIndexOf('/') + 1);
  const more = sharers.length > SHOWN ? ` and ${sharers.length - SHOWN} more` : '';
  const secret = controller?.secret ?? '';
  return failedPrecondition(
    'IN_USE',
    `Cannot give the controller of "${id}" a new password: ${secret} holds that of ` +
      `${sharers.slice(0, SHOWN).join(', ')}${more} as well. Make a secret for it alone (runm ` +
      `secret create) and name it in the record (runm provider import, column bmc.secret)`,
    { metadata: { name, secret, sharers: String(sharers.length) } },
  );
};

const endOf = async (deps: RotateDeps, uid: string, signal: AbortSignal): Promise<HardwareTask> => {
  for (;;) {
    const task = await deps.store.read((reader) => deps.records.tasks.find(reader, uid));
    if (task === undefined) throw unavailable('SERVICE_UNAVAILABLE', 'The task is gone');
    if (task.endMs !== null) return task;
    await deps.clock.sleep(POLL_MS, signal);
  }
};

const noSecret = (name: string) =>
  failedPrecondition('NO_CONTROLLER', `"${name}" names no secret for its controller`, {
    metadata: { name },
  });
