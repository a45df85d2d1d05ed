/**
 * Finds what nobody was told of: a turn whose holder died, a generation that grew while nobody
 * looked, a provider that an operator closed and that is open at the scheduler all the same (the
 * leader's record and ours are written one after the other, and a restore may give back an old
 * one), an inspection that nobody works on. Looks at some rows of a partition at a time, by
 * whoever sweeps it.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { INSPECT_MS } from '../domain/provider-deadline.ts';
import { follow } from '../domain/provider-lifecycle.ts';
import { inspectsNow, isTold, type ProviderState } from '../domain/provider-state.ts';
import { drainedAmong } from '../drained-hosts.ts';
import type { InventoryPort, SchedulerPort } from '../neighbours-port.ts';
import type { Records } from '../ports.ts';

export type GuardDeps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'agents' | 'conflicts' | 'providers' | 'tasks'>;
  readonly scheduler: Pick<SchedulerPort, 'usage'>;
  readonly inventory: Pick<InventoryPort, 'findProvider'>;
  readonly clock: Clock;
  readonly findProvider: (providerUid: string) => ProviderView | undefined;
  readonly look: (providerUid: string) => void;
};

const ROWS = 500;
const UNSEEN_BITE = 2_000;
const ACTOR = { principal: 'services/machine', requestId: 'provider guard' };

/** Looks at rows behind `afterId`; answers where to go on, 0 = from the beginning. */
export const guardProviders = async (
  deps: GuardDeps,
  asked: { readonly partition: string; readonly afterId: number },
  signal: AbortSignal,
): Promise<number> => {
  const rows = await deps.store.read((reader) =>
    deps.records.providers.scan(reader, { ...asked, limit: ROWS }),
  );
  const providers = rows.flatMap(({ state }) => deps.findProvider(state.providerUid) ?? []);
  const drained = await deps.store.read((r) => drainedAmong(deps.records, r, providers));
  for (const { state } of rows) {
    if (signal.aborted) break;
    await guard(deps, { known: state, isDrained: drained.has(state.providerUid) }, signal);
  }
  return rows.length < ROWS ? 0 : (rows.at(-1)?.id ?? 0);
};

type Guarded = { readonly known: ProviderState; readonly isDrained: boolean };

const guard = async (
  deps: GuardDeps,
  { known, isDrained }: Guarded,
  signal: AbortSignal,
): Promise<void> => {
  const { providerUid, partition, state } = known;
  const provider = deps.findProvider(providerUid);
  if (provider === undefined) {
    // This replica's picture may be behind; inventory itself knows.
    const name = `partitions/${partition}/providers/${providerUid}`;
    if ((await deps.inventory.findProvider(name, signal)) !== undefined) return;
    await deps.store.transaction(undefined, ACTOR, async (tx) => {
      await deps.records.providers.remove(tx, providerUid);
      await deps.records.conflicts.remove(tx, providerUid);
    });
    return;
  }
  if (inspectsNow(provider, known, deps.clock.now().getTime())) {
    deps.look(providerUid);
    return;
  }
  if (state === 'inspecting') await endForsaken(deps, known);
  const isUntold = state === 'enrolled' || state === 'inspecting' || state === 'inspect_failed';
  if (isUntold && known.owner === null) return;
  const { generation } = provider;
  if (!isTold(known, { generation, isDrained })) {
    deps.look(providerUid);
    return;
  }
  if (state === 'available' && !isDrained) return;
  const held = await deps.scheduler.usage({ partition, providerUid }, signal);
  if (held === undefined || held.closed) return;
  await forget(deps, known);
  deps.look(providerUid);
};

/** An inspection that nobody works on ends as a failed one, and is begun anew. */
const endForsaken = async (
  { store, records, clock }: GuardDeps,
  { providerUid, sinceMs }: ProviderState,
): Promise<void> => {
  const nowMs = clock.now().getTime();
  if (nowMs < sinceMs + INSPECT_MS) return;
  const open = await store.read((reader) => records.tasks.open(reader, [providerUid]));
  if (open.some(({ kind }) => kind === 'inspect')) return;
  const message = 'Nobody works on its inspection any more';
  const problem = { reason: 'INSPECTION_FAILED', message, sinceMs: nowMs, retryMs: nowMs };
  const to = follow('inspecting', 'inspect_failed', 'inspect_failed');
  await store.transaction(undefined, ACTOR, (tx) =>
    records.providers.fail(tx, { providerUid, from: 'inspecting', to, problem }),
  );
};

/**
 * Servers of which there is no row yet: nobody has looked at them. Looks at some behind `from` in
 * the order of their names; answers where to go on, 0 = from the beginning.
 */
export const findUnseen = async (
  deps: Pick<GuardDeps, 'store' | 'records' | 'look' | 'clock'>,
  providers: readonly ProviderView[],
  from: number,
): Promise<number> => {
  const some = providers.slice(from, from + UNSEEN_BITE);
  const nowMs = deps.clock.now().getTime();
  const news = some.filter((provider) => inspectsNow(provider, undefined, nowMs));
  const uids = news.map(({ uid }) => uid);
  const rows = await deps.store.read((reader) => deps.records.providers.findMany(reader, uids));
  const known = new Set(rows.map(({ providerUid }) => providerUid));
  for (const uid of uids) if (!known.has(uid)) deps.look(uid);
  return from + some.length >= providers.length ? 0 : from + some.length;
};

/** From now on the row says that nobody knows what the scheduler holds. */
const forget = async (deps: GuardDeps, { providerUid, partition }: ProviderState) => {
  const nowMs = deps.clock.now().getTime();
  const asked = { providerUid, partition, owner: 'provider guard', untilMs: nowMs, nowMs };
  await deps.store.transaction(undefined, ACTOR, (tx) => deps.records.providers.hold(tx, asked));
};
