/**
 * One at a time tells the scheduler about a provider: between the look at what is wanted and the
 * scheduler's answer somebody else could want the opposite, and the later message would win. A turn
 * is a lease on the provider's row that is longer than a call; whoever dies in it leaves a row that
 * says that nobody knows what the scheduler holds, and the next one tells it again.
 */
import type { Clock } from '../runtime/clock.ts';
import { aborted, isDomainError } from '../runtime/errors.ts';
import type { Random } from '../runtime/random.ts';
import type { SqlStore } from '../store/sql/open.ts';
import { offersOf, type ProviderView } from './domain/capacity.ts';
import type { ProviderState } from './domain/provider-state.ts';
import { drainedAmong } from './drained-hosts.ts';
import type { SchedulerPort } from './neighbours-port.ts';
import type { Records } from './ports.ts';

export type TurnDeps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'providers' | 'agents'>;
  readonly scheduler: Pick<SchedulerPort, 'tell'>;
  readonly clock: Clock;
  readonly random: Random;
};

export type ProviderTurn = {
  readonly owner: string;
  /** The row as it is; nobody else writes it before the turn ends. */
  readonly known: ProviderState;
  /** Whether it is closed to claims, whatever its state, because its agents are drained. */
  readonly isDrained: boolean;
  /**
   * Tells the scheduler. Errors: those of the scheduler; aborted BUSY while inventory changes what
   * the provider offers.
   */
  readonly tell: (closed: boolean, signal: AbortSignal) => Promise<void>;
  /** Ends a turn in which nothing was saved. */
  readonly giveUp: () => Promise<void>;
};

/** Longer than a call to the scheduler may take. */
const TURN_MS = 20_000;
const WAIT_MS = 5_000;
const POLL_MS = 100;
const ACTOR = { principal: 'services/machine', requestId: 'provider turn' };

/** Undefined: it is another's turn. */
export const takeTurn = async (
  deps: TurnDeps,
  provider: ProviderView,
): Promise<ProviderTurn | undefined> => {
  const { store, records, clock, random } = deps;
  const { uid: providerUid, partition } = provider;
  const owner = random.uid();
  const nowMs = clock.now().getTime();
  const asked = { providerUid, partition, owner, untilMs: nowMs + TURN_MS, nowMs };
  const held = await store.transaction(undefined, ACTOR, async (tx) => {
    const known = await records.providers.hold(tx, asked);
    if (known === undefined) return undefined;
    // Read in the turn: whoever drains an agent later has the provider looked at again.
    const drained = await drainedAmong(records, tx, [provider]);
    return { known, isDrained: drained.has(providerUid) };
  });
  if (held === undefined) return undefined;
  const { known, isDrained } = held;
  // What an earlier turn left unknown stays so until something was told.
  let isCertain = known.owner === null;
  return {
    owner,
    known,
    isDrained,
    tell: async (closed, signal) => {
      const requestId = random.requestId();
      try {
        const offers = offersOf(provider);
        await deps.scheduler.tell({ provider, offers, closed, requestId }, signal);
        isCertain = false;
      } catch (error) {
        if (isCertainNo(error)) throw error;
        isCertain = false;
        throw isDomainError(error, 'aborted') ? busy(provider.name, error) : error;
      }
    },
    giveUp: () =>
      store.transaction(undefined, ACTOR, (tx) =>
        records.providers.giveUp(tx, { providerUid, owner, isCertain }),
      ),
  };
};

/** Waits a little for its turn. Errors: aborted BUSY. */
export const waitForTurn = async (
  deps: TurnDeps,
  provider: ProviderView,
  signal: AbortSignal,
): Promise<ProviderTurn> => {
  const endMs = deps.clock.monotonicMs() + WAIT_MS;
  for (;;) {
    const turn = await takeTurn(deps, provider);
    if (turn !== undefined) return turn;
    if (deps.clock.monotonicMs() >= endMs) throw busy(provider.name);
    await deps.clock.sleep(POLL_MS, signal);
  }
};

/** The leader has looked at it and recorded nothing. */
const isCertainNo = (error: unknown): boolean =>
  isDomainError(error, 'failed_precondition') || isDomainError(error, 'invalid_argument');

export const busy = (name: string, cause?: unknown) =>
  aborted('BUSY', `"${name}" is being changed by somebody else; try again`, {
    metadata: { name },
    retryAfterMs: 1_000,
    ...(cause !== undefined && { cause }),
  });
