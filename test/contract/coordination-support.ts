import type { ExecutionContext } from 'ava';
import { systemClock } from '../../services/runtime/clock.ts';
import { DomainError } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { CoordinationDeps } from '../../services/store/coordination/held-lease.ts';
import type {
  Compare,
  Coordination,
  KeyValue,
  Lease,
  Revision,
  TransactionResult,
  WatchBatch,
  Write,
} from '../../services/store/coordination/port.ts';
import { silentLog } from '../support/silent-log.ts';

/** One store for one test. */
export type StoreUnderTest = {
  /** A client of the store. */
  readonly coordination: Coordination;
  /** Another one, as another process would have; the same object where there can be only one. */
  readonly another: () => Coordination;
  /** Ends the store without a goodbye and starts it on the same data; gives a client of it. */
  readonly restart: () => Promise<Coordination>;
  /** Short, but longer than a busy machine keeps a test from renewing. */
  readonly leaseTtlMs: number;
} & AsyncDisposable;

export const CALL_LIMIT_MS = 60_000;

/** The signal for a call that should simply succeed. */
export const soon = (): AbortSignal => AbortSignal.timeout(CALL_LIMIT_MS);

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const text = (at: KeyValue | undefined): string | undefined =>
  at === undefined ? undefined : Buffer.from(at.value).toString();

export const put = (key: string, value: string, leaseId?: string): Write => ({
  put: key,
  value: bytes(value),
  ...(leaseId === undefined ? {} : { leaseId }),
});

/** Applies writes without a comparison. */
export const write = (
  coordination: Coordination,
  ...writes: readonly Write[]
): Promise<TransactionResult> => coordination.transact({ compare: [], writes }, soon());

/** Creates a key, once: whoever is second does not succeed. */
export const create = (
  coordination: Coordination,
  key: string,
  value: string,
): Promise<TransactionResult> => {
  const absent: Compare = { key, target: 'createRevision', equals: 0n };
  return coordination.transact({ compare: [absent], writes: [put(key, value)] }, soon());
};

export const keysBelow = async (coordination: Coordination, prefix: string): Promise<string[]> =>
  (await coordination.range({ prefix }, soon())).keys.map(({ key }) => key);

/** Fails unless the promise rejects with that reason. */
export const rejectsWith = async (
  t: ExecutionContext,
  promise: Promise<unknown>,
  reason: string,
): Promise<void> => {
  const error = await t.throwsAsync(promise);
  t.true(error instanceof DomainError, `${error}`);
  if (error instanceof DomainError) t.is(error.reason, reason, error.message);
};

/** `put key=value` and `delete key`, as the tests compare them. */
export const spell = (batch: WatchBatch): string[] =>
  batch.events.map((event) =>
    event.kind === 'put' ? `put ${event.at.key}=${text(event.at)}` : `delete ${event.key}`,
  );

/** Follows a prefix from a revision in the background and keeps what it saw, without marks. */
export type Follower = {
  readonly batches: WatchBatch[];
  /** All events so far, spelt. */
  readonly seen: () => string[];
  /** Ends the watch and gives the error it ended with, if any. */
  readonly stop: () => Promise<unknown>;
  readonly ended: Promise<unknown>;
};

export const follow = (coordination: Coordination, prefix: string, from: Revision): Follower => {
  const stopping = new AbortController();
  const batches: WatchBatch[] = [];
  const run = async (): Promise<unknown> => {
    try {
      for await (const batch of coordination.watch({ prefix, from, signal: stopping.signal }))
        if (batch.events.length > 0) batches.push(batch);
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const ended = run();
  return {
    batches,
    seen: () => batches.flatMap(spell),
    stop: () => {
      stopping.abort();
      return ended;
    },
    ended,
  };
};

export const leaseDeps = (coordination: Coordination): CoordinationDeps => ({
  coordination,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
});

/** A client whose lease renewals can be made to hang, as those of a process that is cut off. */
export const withFreezableLeases = (
  coordination: Coordination,
): {
  readonly coordination: Coordination;
  readonly freeze: () => void;
  readonly thaw: () => void;
} => {
  let frozen = false;
  const hangs = () => new Promise<never>(() => undefined);
  const freezable = (lease: Lease): Lease => ({
    ...lease,
    keepAlive: (signal) => (frozen ? hangs() : lease.keepAlive(signal)),
    revoke: (signal) => (frozen ? hangs() : lease.revoke(signal)),
  });
  return {
    coordination: {
      ...coordination,
      grantLease: async (ttlMs, signal) => freezable(await coordination.grantLease(ttlMs, signal)),
    },
    freeze: () => {
      frozen = true;
    },
    thaw: () => {
      frozen = false;
    },
  };
};
