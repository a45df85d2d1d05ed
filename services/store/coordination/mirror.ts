import { isDomainError } from '../../runtime/errors.ts';
import type { CoordinationDeps } from './held-lease.ts';
import type { KeyValue, Revision, WatchBatch } from './port.ts';
import { backOff, slept } from './waiting.ts';

/** The keys below a prefix, kept fresh in memory. */
export type Mirror = {
  /** Resolves when the keys have first been listed; rejects when the signal aborts before. */
  readonly ready: Promise<void>;
  readonly get: (key: string) => KeyValue | undefined;
  /** In no particular order. */
  readonly all: () => readonly KeyValue[];
};

export type MirrorOptions = {
  /** Empty = all keys. */
  readonly prefix: string;
  /** Called after each change. */
  readonly onChange?: () => void;
  readonly signal: AbortSignal;
};

/**
 * Lists, then watches from the revision of the list; lists again where history was compacted
 * meanwhile. While the store does not answer it keeps what it has.
 */
export const openMirror = (deps: CoordinationDeps, options: MirrorOptions): Mirror => {
  const { signal } = options;
  const state = { keys: new Map<string, KeyValue>() };
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  signal.addEventListener('abort', () => ready.reject(signal.reason), { once: true });
  void follow(deps, options, { state, onListed: ready.resolve });
  return {
    ready: ready.promise,
    get: (key) => state.keys.get(key),
    all: () => [...state.keys.values()],
  };
};

type Followed = {
  readonly state: { keys: Map<string, KeyValue> };
  readonly onListed: () => void;
};

const follow = async (
  deps: CoordinationDeps,
  { prefix, onChange, signal }: MirrorOptions,
  { state, onListed }: Followed,
): Promise<void> => {
  const { coordination, clock, log, random } = deps;
  const pause = backOff(random, { firstMs: 100, mostMs: 5000 });
  while (!signal.aborted) {
    try {
      const listed = await list(deps, prefix, signal);
      state.keys = listed.keys;
      onListed();
      onChange?.();
      pause.reset();
      for await (const batch of coordination.watch({
        prefix,
        from: listed.revision + 1n,
        signal,
      })) {
        apply(state.keys, batch);
        if (batch.events.length > 0) onChange?.();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isDomainError(error, 'out_of_range', 'COMPACTED')) continue;
      log.debug({ err: error, prefix }, 'mirror cannot follow the store');
    }
    await slept(clock, pause.nextMs(), signal);
  }
};

const list = async (
  { coordination }: CoordinationDeps,
  prefix: string,
  signal: AbortSignal,
): Promise<{ readonly keys: Map<string, KeyValue>; readonly revision: Revision }> => {
  const first = await coordination.range({ prefix }, signal);
  const { revision } = first;
  const keys = new Map(first.keys.map((at) => [at.key, at]));
  let { more } = first;
  let after = first.keys.at(-1)?.key;
  while (more && after !== undefined) {
    const page = await coordination.range({ prefix, after, revision }, signal);
    for (const at of page.keys) keys.set(at.key, at);
    more = page.more;
    after = page.keys.at(-1)?.key;
  }
  return { keys, revision };
};

const apply = (keys: Map<string, KeyValue>, { events }: WatchBatch): void => {
  for (const event of events) {
    if (event.kind === 'put') keys.set(event.at.key, event.at);
    else keys.delete(event.key);
  }
};
