/**
 * Sees to it that the scheduler holds of each provider what is wanted of it. VM hosts open by
 * themselves: closed until their agent is up and has all its assignments. What an operator accepted
 * is open, what he closed stays closed. All are told again when what they offer grows a generation.
 */
import { type BoundedQueue, createBoundedQueue } from '../../runtime/bounded-queue.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { newTask } from '../domain/hardware-task.ts';
import { inspectsNow, isTold, type ProviderState, wantedOf } from '../domain/provider-state.ts';
import type { MachineWriter, Records } from '../ports.ts';
import { type TurnDeps, takeTurn } from '../provider-turn.ts';
import { refreshServers } from './server-refresh.ts';

export type ProviderOpener = {
  /** Looks at the provider soon. */
  readonly look: (providerUid: string) => void;
  readonly work: (signal: AbortSignal) => Promise<void>;
};

type Deps = Omit<TurnDeps, 'records'> & {
  readonly records: Pick<Records, 'providers' | 'tasks' | 'assignments' | 'machines'>;
  readonly writer: MachineWriter;
  readonly log: Logger;
  readonly tasks: { readonly nudge: () => void };
  readonly find: (providerUid: string) => ProviderView | undefined;
  /** Whether an agent of the provider is synced at this replica. */
  readonly isServed: (provider: ProviderView) => boolean;
};

const QUEUED_MAX = 20_000;
const RETRY_MS = 2_000;
const ACTOR = { principal: 'services/machine', requestId: 'provider opener' };

export const createProviderOpener = (deps: Deps): ProviderOpener => {
  const queue: BoundedQueue<string> = createBoundedQueue(QUEUED_MAX);
  const queued = new Set<string>();
  const look = (uid: string): void => {
    if (queued.has(uid)) return;
    if (queue.offer(uid)) queued.add(uid);
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
  return { look, work };
};

const settle = async (deps: Deps, uid: string, signal: AbortSignal): Promise<void> => {
  const provider = deps.find(uid);
  if (provider === undefined) return;
  await refreshServers(deps, provider);
  const seen = await deps.store.read((reader) => deps.records.providers.find(reader, uid));
  if (inspectsNow(provider, seen, deps.clock.now().getTime())) {
    await beginInspection(deps, provider);
    return;
  }
  if (missing(deps, provider, seen) === undefined) return;
  const turn = await takeTurn(deps, provider);
  // Whoever has the turn looks at the newest; what he cannot see is found by the partition's guard.
  if (turn === undefined) return;
  const { known, owner } = turn;
  const wanted = missing(deps, provider, known);
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
      await deps.records.providers.save(tx, { ...now, ...opened, generation }, owner);
    });
    deps.log.info({ provider: provider.name, generation, wanted }, 'provider was told');
  } catch (error) {
    await turn.giveUp();
    throw error;
  }
};

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

/** What the scheduler has to be told; undefined: nothing. */
const missing = (
  deps: Deps,
  provider: ProviderView,
  known: ProviderState | undefined,
): 'open' | 'closed' | undefined => {
  const wanted = wantedOf(provider, known, deps.isServed(provider));
  if (wanted === 'leave') return undefined;
  const isAsWanted = known !== undefined && (wanted === 'closed' || known.state === 'available');
  return isAsWanted && isTold(known, provider.generation) ? undefined : wanted;
};
