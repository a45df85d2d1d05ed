/**
 * Sees to it that the scheduler holds of each provider what is wanted of it. VM hosts open by
 * themselves: closed until their agent is up and has all its assignments. What an operator accepted
 * is open, what he closed stays closed. All are told again when what they offer grows a generation.
 */
import { type BoundedQueue, createBoundedQueue } from '../../runtime/bounded-queue.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { newTask } from '../domain/hardware-task.ts';
import { inspectsNow, isTold, type ProviderState, wantedOf } from '../domain/provider-state.ts';
import { drainedAmong } from '../drained-hosts.ts';
import type { MachineWriter, Records } from '../ports.ts';
import { type TurnDeps, takeTurn } from '../provider-turn.ts';
import { tellOfProvider } from './provider-story.ts';
import { refreshServers } from './server-refresh.ts';

export type ProviderOpener = {
  /** Looks at the provider soon. */
  readonly look: (providerUid: string) => void;
  /** Looks at it now, for whoever waits for that; what cannot be done now is done soon. */
  readonly see: (providerUid: string, signal: AbortSignal) => Promise<void>;
  readonly work: (signal: AbortSignal) => Promise<void>;
};

type Deps = Omit<TurnDeps, 'records'> & {
  readonly records: Pick<
    Records,
    'providers' | 'tasks' | 'assignments' | 'machines' | 'agents' | 'events'
  >;
  readonly writer: MachineWriter;
  readonly log: Logger;
  readonly tasks: { readonly nudge: () => void };
  readonly find: (providerUid: string) => ProviderView | undefined;
  /** Whether an agent of the provider is synced at this replica. */
  readonly isServed: (provider: ProviderView) => boolean;
};

const QUEUED_MAX = 20_000;
const RETRY_MS = 2_000;
/** Whoever waits for a look waits no longer. */
const SEEN_MS = 5_000;
const ACTOR = { principal: 'services/machine', requestId: 'provider opener' };

export const createProviderOpener = (deps: Deps): ProviderOpener => {
  const queue: BoundedQueue<string> = createBoundedQueue(QUEUED_MAX);
  const queued = new Set<string>();
  const look = (uid: string): void => {
    if (queued.has(uid)) return;
    if (queue.offer(uid)) queued.add(uid);
  };
  const see: ProviderOpener['see'] = async (uid, signal) => {
    try {
      await settle(deps, uid, AbortSignal.any([signal, AbortSignal.timeout(SEEN_MS)]));
    } catch (error) {
      if (!signal.aborted)
        deps.log.warn({ err: error, provider: uid }, 'provider is looked at later');
    } finally {
      // Where somebody else had the turn he may have looked at what was before.
      look(uid);
    }
  };
  const work = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const uid = await queue.take(signal).catch(() => undefined);
      if (uid === undefined) return;
      queued.delete(uid);
      try {
        await settle(deps, uid, signal);
      } catch (error) {
        if (signal.aborted) return;
        deps.log.warn({ err: error, provider: uid }, 'provider cannot be opened or closed now');
        await deps.clock.sleep(RETRY_MS, signal).catch(() => undefined);
        // Refused for good: only another generation can change that, and it comes by the watch.
        const isForGood =
          isDomainError(error, 'failed_precondition') || isDomainError(error, 'invalid_argument');
        if (!isForGood) look(uid);
      }
    }
  };
  return { look, see, work };
};

const settle = async (deps: Deps, uid: string, signal: AbortSignal): Promise<void> => {
  const provider = deps.find(uid);
  if (provider === undefined) return;
  await refreshServers(deps, provider);
  const [seen, drained] = await deps.store.read((reader) =>
    Promise.all([
      deps.records.providers.find(reader, uid),
      drainedAmong(deps.records, reader, [provider]),
    ]),
  );
  if (inspectsNow(provider, seen, deps.clock.now().getTime())) {
    await beginInspection(deps, provider);
    return;
  }
  const looked = { known: seen, isDrained: drained.has(uid) };
  if (missing(deps, provider, looked) === undefined) return;
  const turn = await takeTurn(deps, provider);
  // Whoever has the turn looks at the newest; what he cannot see is found by the partition's guard.
  if (turn === undefined) return;
  const { known, owner, isDrained } = turn;
  const wanted = missing(deps, provider, turn);
  if (wanted === undefined) {
    await turn.giveUp();
    return;
  }
  try {
    await turn.tell(wanted === 'closed', signal);
    const opened: Partial<ProviderState> =
      wanted === 'open' && known.state === 'enrolled'
        ? { state: 'available', principal: '', reason: '', sinceMs: deps.clock.now().getTime() }
        : // That it could not be told was all that was wrong with it.
          known.state === 'quarantined'
          ? { problem: null }
          : {};
    const { generation } = provider;
    await deps.store.transaction(undefined, ACTOR, async (tx) => {
      // An inspection may have failed meanwhile, whoever has the turn.
      const now = (await deps.records.providers.find(tx, uid)) ?? known;
      const told = { ...now, ...opened, generation, isDrained };
      const isSaved = await deps.records.providers.save(tx, told, owner);
      if (isSaved && now.isDrained !== isDrained)
        await tellOfDrain(deps, tx, { provider, isDrained });
    });
    deps.log.info({ provider: provider.name, generation, wanted, isDrained }, 'provider was told');
  } catch (error) {
    await turn.giveUp();
    throw error;
  }
};

const tellOfDrain = (
  deps: Deps,
  tx: Tx,
  { provider, isDrained }: { readonly provider: ProviderView; readonly isDrained: boolean },
): Promise<void> =>
  tellOfProvider(deps, tx, {
    provider,
    told: isDrained
      ? {
          type: 'provider.drained',
          message: 'Its agents are drained: it takes no new claims, and machines on it go on',
        }
      : { type: 'provider.resumed', message: 'Its agents take work again, and it takes claims' },
  });

/**
 * A new server is asked what it is before it opens; the task does it, and opens it. The scheduler
 * is told nothing here, so the whole turn is one transaction.
 */
const beginInspection = async (deps: Deps, provider: ProviderView): Promise<void> => {
  const { providers, tasks } = deps.records;
  const { uid: providerUid, partition } = provider;
  const nowMs = deps.clock.now().getTime();
  const owner = deps.random.uid();
  const begun = { state: 'inspecting', reason: '', principal: '', sinceMs: nowMs } as const;
  const place = { providerUid, partition, subject: '', principal: '', data: {} };
  const task = { uid: deps.random.uid(), kind: 'inspect', step: 'read', ...place } as const;
  await deps.store.transaction(undefined, ACTOR, async (tx) => {
    const asked = { providerUid, partition, owner, untilMs: nowMs, nowMs };
    const known = await providers.hold(tx, asked);
    if (known === undefined) return;
    // Whoever died while he told the scheduler leaves that open: it is closed until it is told.
    const isCertain = known.owner === null;
    if (!inspectsNow(provider, known, nowMs)) {
      await providers.giveUp(tx, { providerUid, owner, isCertain });
      return;
    }
    await providers.save(tx, { ...known, ...begun, problem: null }, owner, isCertain);
    await tasks.insert(tx, newTask(task, nowMs));
  });
  deps.tasks.nudge();
};

type Looked = { readonly known: ProviderState | undefined; readonly isDrained: boolean };

/** What the scheduler has to be told; undefined: nothing. */
const missing = (
  deps: Deps,
  provider: ProviderView,
  { known, isDrained }: Looked,
): 'open' | 'closed' | undefined => {
  const wanted = wantedOf(provider, known, { isServed: deps.isServed(provider), isDrained });
  if (wanted === 'leave') return undefined;
  const isAsWanted = known !== undefined && (wanted === 'closed' || known.state === 'available');
  const { generation } = provider;
  return isAsWanted && isTold(known, { generation, isDrained }) ? undefined : wanted;
};
