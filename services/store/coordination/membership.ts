import { type CoordinationDeps, type HeldLease, holdLease } from './held-lease.ts';
import { openMirror } from './mirror.ts';
import { aborted, backOff, deadlineAfter, slept } from './waiting.ts';

/** A replica of a service that is alive, or was less than a lease ago. */
export type Member = { readonly id: string; readonly address: string };

export type Registration = {
  /** Name of the service, as in `members/<service>/<id>`. */
  readonly service: string;
  /** Unique for each start of a process. */
  readonly id: string;
  /** Where the others reach it. */
  readonly address: string;
  readonly leaseTtlMs: number;
  /** Ends the registration; the key vanishes at once. */
  readonly signal: AbortSignal;
};

/**
 * Keeps `members/<service>/<id>` alive, again after each loss; resolves when the registration has
 * ended and its key is gone, or left to its lease. Never rejects.
 */
export const register = async (
  deps: CoordinationDeps,
  registration: Registration,
): Promise<void> => {
  const { clock, log, random } = deps;
  const { service, id, signal } = registration;
  const pause = backOff(random, { firstMs: 100, mostMs: 5000 });
  while (!signal.aborted) {
    try {
      const held = await enlist(deps, registration);
      pause.reset();
      await lostOrEnded(held, signal);
      await held.revoke();
      if (!signal.aborted) log.warn({ service, id }, 'membership lost, registering again');
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, service, id }, 'member cannot register');
    }
    await slept(clock, pause.nextMs(), signal);
  }
};

/** The members of a service, kept fresh; the last known ones while the store does not answer. */
export type Members = {
  /** Resolves when they have first been listed; rejects when the signal aborts before. */
  readonly ready: Promise<void>;
  /** In the order of their ids. */
  readonly list: () => readonly Member[];
};

export const watchMembers = (
  deps: CoordinationDeps,
  options: {
    readonly service: string;
    readonly onChange?: () => void;
    readonly signal: AbortSignal;
  },
): Members => {
  const { service, ...rest } = options;
  const prefix = memberKey(service, '');
  const mirror = openMirror(deps, { prefix, ...rest });
  return {
    ready: mirror.ready,
    list: () =>
      mirror
        .all()
        .map(({ key, value }) => ({ id: key.slice(prefix.length), address: textOf(value) }))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  };
};

/** The address of whoever holds a leader key (see Campaign), kept fresh. */
export type LeaderLookup = {
  readonly ready: Promise<void>;
  /** undefined while nobody leads. */
  readonly address: () => string | undefined;
};

export const watchLeader = (
  deps: CoordinationDeps,
  options: { readonly key: string; readonly onChange?: () => void; readonly signal: AbortSignal },
): LeaderLookup => {
  const { key, ...rest } = options;
  const mirror = openMirror(deps, { prefix: key, ...rest });
  return {
    ready: mirror.ready,
    address: () => {
      const at = mirror.get(key);
      return at === undefined ? undefined : textOf(at.value);
    },
  };
};

const memberKey = (service: string, id: string): string => `members/${service}/${id}`;

const textOf = (value: Uint8Array): string => Buffer.from(value).toString();

const enlist = async (deps: CoordinationDeps, registration: Registration): Promise<HeldLease> => {
  const { service, id, address, leaseTtlMs, signal } = registration;
  const held = await holdLease(deps, leaseTtlMs, signal);
  const put = { put: memberKey(service, id), value: Buffer.from(address), leaseId: held.id };
  try {
    using limit = deadlineAfter(deps.clock, leaseTtlMs, signal);
    await deps.coordination.transact({ compare: [], writes: [put] }, limit.signal);
    return held;
  } catch (error) {
    await held.revoke();
    throw error;
  }
};

const lostOrEnded = async (held: HeldLease, signal: AbortSignal): Promise<void> => {
  const onEnd = () => held.stop('the registration has ended');
  signal.addEventListener('abort', onEnd, { once: true });
  if (signal.aborted) onEnd();
  await aborted(held.signal);
  signal.removeEventListener('abort', onEnd);
};
