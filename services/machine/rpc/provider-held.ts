/**
 * Whether a tenant holds a provider: then nobody changes anything at its hardware, unless an
 * operator forces it and says why.
 */
import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { type Machine, machineName } from '../domain/machine.ts';
import type { SchedulerPort } from '../neighbours-port.ts';
import type { Records } from '../ports.ts';

export type HeldDeps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'assignments' | 'machines' | 'cleanings'>;
  readonly scheduler: Pick<SchedulerPort, 'usage'>;
};

type Asked = { readonly force: boolean; readonly reason: string };

/**
 * Machines that live there, to be told of what was forced. Errors: failed_precondition
 * HELD_BY_TENANT; invalid_argument where force comes without a reason.
 */
export const demandFree = async (
  deps: HeldDeps,
  provider: ProviderView,
  { force, reason, signal }: Asked & { readonly signal: AbortSignal },
): Promise<readonly Machine[]> => {
  if (force && reason === '') throw unreasoned();
  const { machines, cleanings } = await deps.store.read(async (reader) => {
    const rows = await deps.records.assignments.ofProvider(reader, provider.uid);
    const uids = rows.filter((row) => !row.absent).map(({ uid }) => uid);
    return {
      machines: await deps.records.machines.findMany(reader, uids),
      cleanings: await deps.records.cleanings.ofProviders(reader, [provider.uid]),
    };
  });
  if (force) return machines;
  const [machine] = machines;
  if (machine !== undefined) throw held(provider, machineName(machine));
  const { partition, uid: providerUid } = provider;
  const usage = await deps.scheduler.usage({ partition, providerUid }, signal);
  // What only waits for its cleaning is nobody's any more.
  if (usage?.inUse === true && cleanings.length === 0) throw held(provider, 'a claim');
  return [];
};

const held = ({ name }: ProviderView, by: string) =>
  failedPrecondition(
    'HELD_BY_TENANT',
    `"${name}" is held by ${by}; to change it all the same, force it and say why`,
    { metadata: { name, held_by: by } },
  );

const unreasoned = () =>
  invalidArgument('INVALID_FIELD', 'reason: whoever forces a change says why', {
    metadata: { field: 'reason' },
    violations: [{ field: 'reason', description: 'is needed with force' }],
  });
