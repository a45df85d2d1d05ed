/**
 * Opens VM hosts at the scheduler: closed until their agent is up and has all its assignments, told
 * again when what they offer grows a generation. One provider at a time is told by this replica;
 * the request id follows from provider and generation, so two replicas tell the same.
 */
import { type BoundedQueue, createBoundedQueue } from '../../runtime/bounded-queue.ts';
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { derivedRequestId } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { offersOf, type ProviderView } from '../domain/capacity.ts';
import type { SchedulerPort } from '../neighbours-port.ts';
import type { Records } from '../ports.ts';

export type ProviderOpener = {
  /** Looks at the provider soon. */
  readonly look: (providerUid: string) => void;
  readonly work: (signal: AbortSignal) => Promise<void>;
};

type Deps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly scheduler: SchedulerPort;
  readonly clock: Clock;
  readonly log: Logger;
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
        await open(deps, uid, signal);
      } catch (error) {
        if (signal.aborted) return;
        deps.log.warn({ err: error, provider: uid }, 'provider cannot be opened now');
        await deps.clock.sleep(RETRY_MS, signal).catch(() => undefined);
        // Refused for good: only another generation can change that, and it comes by the watch.
        if (!isDomainError(error, 'failed_precondition')) look(uid);
      }
    }
  };
  return { look, work };
};

const open = async (deps: Deps, uid: string, signal: AbortSignal): Promise<void> => {
  const provider = deps.find(uid);
  if (provider === undefined || !provider.isVmHost || !deps.isServed(provider)) return;
  const known = await deps.store.read((reader) => deps.records.providers.find(reader, uid));
  if (known?.state === 'available' && known.generation >= provider.generation) return;
  const requestId = derivedRequestId(uid, `open ${provider.generation}`);
  await deps.scheduler.offer({ provider, offers: offersOf(provider), requestId }, signal);
  const { partition, generation } = provider;
  await deps.store.transaction(undefined, ACTOR, (tx) =>
    deps.records.providers.put(tx, { providerUid: uid, partition, state: 'available', generation }),
  );
  deps.log.info({ provider: provider.name, generation }, 'provider is open for claims');
};
