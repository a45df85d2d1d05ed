import { isDomainError } from '../../runtime/errors.ts';
import { type CoordinationDeps, type HeldLease, holdLease } from './held-lease.ts';
import type { Campaign, Leadership } from './leadership-port.ts';
import type { Compare, Coordination, KeyValue, Revision } from './port.ts';
import { abortable, aborted, backOff, deadlineAfter, slept } from './waiting.ts';

/** A `lead` that has not ended this long after its leadership is reported and left behind. */
const LEAD_END_LIMIT_MS = 30_000;
const PAUSE = { firstMs: 100, mostMs: 5000 };

/**
 * Stands for the key until `campaign.signal` aborts, and leads whenever it gets it; resolves after
 * a leader has resigned, never rejects. It works on any Coordination: the election of etcd's
 * library learns of a loss only after the key may have been given away.
 *
 * A candidate holds nothing while it waits: it takes a lease when the key is free. A lost lease, a
 * failing store and a failing `lead` all end in one place: revoke, pause, stand again.
 */
export const campaign = async (deps: CoordinationDeps, options: Campaign): Promise<void> => {
  const { clock, coordination, log, random } = deps;
  const { key, signal, leaseTtlMs } = options;
  const pause = backOff(random, PAUSE);
  while (!signal.aborted) {
    const startedAtMs = clock.monotonicMs();
    try {
      await untilKey({ coordination, key, signal }, (at) => at === undefined);
      const patienceMs = options.patienceMs?.() ?? 0;
      if (patienceMs > 0 && !(await slept(clock, patienceMs, signal))) continue;
      const tenure = await stand(deps, options);
      if (tenure === undefined) continue;
      await serve(deps, options, tenure);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, key }, 'candidate failed, will stand again');
    }
    // Who led for a while starts over with the shortest pause.
    if (clock.monotonicMs() - startedAtMs > leaseTtlMs) pause.reset();
    await slept(clock, pause.nextMs(), signal);
  }
};

type Observed = {
  readonly coordination: Coordination;
  readonly key: string;
  readonly signal: AbortSignal;
};

/** Resolves when `isMet` holds for the key, looked at now and after each deletion. */
const untilKey = async (
  observed: Observed,
  isMet: (at: KeyValue | undefined) => boolean,
): Promise<void> => {
  const { coordination, key, signal } = observed;
  for (;;) {
    const { keys, revision } = await coordination.range({ prefix: key, limit: 1 }, signal);
    // The key itself is the first of all keys that begin with it.
    if (isMet(keys.find((at) => at.key === key))) return;
    try {
      await untilDeleted(observed, revision + 1n);
    } catch (error) {
      if (!isDomainError(error, 'out_of_range', 'COMPACTED')) throw error;
    }
  }
};

const untilDeleted = async (observed: Observed, from: Revision): Promise<void> => {
  const { coordination, key, signal } = observed;
  for await (const { events } of coordination.watch({ prefix: key, from, signal }))
    if (events.some((event) => event.kind === 'delete' && event.key === key)) return;
  signal.throwIfAborted();
};

type Tenure = { readonly held: HeldLease; readonly createRevision: Revision };

/** Takes the key under a new lease; undefined when another was faster. */
const stand = async (deps: CoordinationDeps, options: Campaign): Promise<Tenure | undefined> => {
  const { key, address, leaseTtlMs, signal } = options;
  const held = await holdLease(deps, leaseTtlMs, signal);
  const transaction = {
    compare: [{ key, target: 'createRevision', equals: 0n } as const],
    writes: [{ put: key, value: Buffer.from(address), leaseId: held.id }],
  };
  try {
    const either = AbortSignal.any([signal, held.signal]);
    const { succeeded, revision } = await deps.coordination.transact(transaction, either);
    if (succeeded) return { held, createRevision: revision };
  } catch (error) {
    // Should the put be applied after all, its key goes with the lease.
    await held.revoke();
    throw error;
  }
  await held.revoke();
  return undefined;
};

/** From the gain of leadership until the key is given up, whichever side ends it. */
const serve = async (deps: CoordinationDeps, options: Campaign, tenure: Tenure): Promise<void> => {
  const { clock, log } = deps;
  const { key, signal } = options;
  const { held, createRevision } = tenure;
  const fence: Compare = { key, target: 'createRevision', equals: createRevision };
  const giveUp = giveUpOnce(deps, held, { fence, ttlMs: options.leaseTtlMs });
  const onStop = () => held.stop('the campaign has ended');
  signal.addEventListener('abort', onStop, { once: true });
  if (signal.aborted) onStop();
  const watching = watchFence(deps, options, tenure);

  log.info({ key, createRevision: String(createRevision) }, 'leadership gained');
  const leading = lead(deps, options, {
    key,
    fence,
    get signal() {
      return held.signal;
    },
    resign: giveUp,
  });
  await Promise.race([leading, aborted(held.signal)]);
  held.stop('its work has ended');
  const reason = String(held.signal.reason);
  log.info({ key, createRevision: String(createRevision), reason }, 'leadership ended');

  using limit = deadlineAfter(clock, LEAD_END_LIMIT_MS);
  // What it still writes fails by the fence, so it can be left behind.
  await abortable(leading, limit.signal).catch(() =>
    log.error({ key, limitMs: LEAD_END_LIMIT_MS }, 'former leader does not stop working'),
  );
  signal.removeEventListener('abort', onStop);
  await giveUp();
  await watching;
};

/** Runs the leader's work; never rejects. */
const lead = async (
  { log }: CoordinationDeps,
  { key, lead }: Campaign,
  leadership: Leadership,
): Promise<void> => {
  try {
    await lead(leadership);
  } catch (error) {
    // A leader that loses its lease in the middle of something usually fails in it.
    if (leadership.signal.aborted) log.debug({ err: error, key }, 'former leader stopped');
    else log.error({ err: error, key }, 'leader failed and resigns');
  }
};

/** Deletes the key and revokes the lease, so that the next leader need not wait for the lease. */
const giveUpOnce = (
  { coordination, clock, log }: CoordinationDeps,
  held: HeldLease,
  { fence, ttlMs }: { readonly fence: Compare; readonly ttlMs: number },
): (() => Promise<void>) => {
  const deleteKey = async (): Promise<void> => {
    using limit = deadlineAfter(clock, ttlMs / 2);
    const transaction = { compare: [fence], writes: [{ delete: fence.key }] };
    try {
      await abortable(coordination.transact(transaction, limit.signal), limit.signal);
    } catch (error) {
      log.debug({ err: error, key: fence.key }, 'key is left to its lease');
    }
  };
  let givingUp: Promise<void> | undefined;
  return () => {
    held.stop('resigned');
    givingUp ??= deleteKey().then(held.revoke);
    return givingUp;
  };
};

/** Ends the leadership when somebody deletes the key: nothing could be written any more. */
const watchFence = async (
  { clock, coordination }: CoordinationDeps,
  { key, leaseTtlMs }: Campaign,
  { held, createRevision }: Tenure,
): Promise<void> => {
  const { signal } = held;
  while (!signal.aborted) {
    try {
      await untilKey({ coordination, key, signal }, (at) => at?.createRevision !== createRevision);
      held.stop('the key was deleted');
    } catch {
      // The store does not answer: that ends the lease, not this watch.
      await slept(clock, leaseTtlMs / 3, signal);
    }
  }
};
