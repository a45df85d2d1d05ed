import type { Clock } from '../../../../services/runtime/clock.ts';
import type { LabServer } from '../../server-port.ts';
import { eventMessage, type LabEvent } from './event.ts';
import { createOutbox, type Outbox, type RetrySettings } from './outbox.ts';
import { type Subscription, wants } from './subscription.ts';
import type { SubscriptionStore } from './subscription-store.ts';
import { type EventPlaces, watchServer } from './watch.ts';

/**
 * The event service of one controller: who subscribed, and what is sent to them. While nobody has
 * subscribed the server is not watched.
 */
export type Events = {
  readonly ids: () => readonly string[];
  readonly find: (id: string) => KeptSubscription | undefined;
  /** Answers its id; undefined = there is no room. */
  readonly subscribe: (subscription: Subscription) => string | undefined;
  /**
   * Events go down a stream until the function that it answers is called; undefined = there is no
   * room.
   */
  readonly stream: (subscription: Subscription, to: EventStream) => (() => void) | undefined;
  readonly replace: (id: string, subscription: Subscription) => void;
  readonly resume: (id: string) => void;
  readonly remove: (id: string) => void;
  readonly tell: (event: LabEvent) => void;
  readonly endStreams: () => void;
  readonly settings: () => EventSettings;
  readonly set: (settings: EventSettings) => void;
  /** Sends nothing any more. */
  readonly close: () => void;
};

export type EventSettings = RetrySettings & { readonly enabled: boolean };

export type EventStream = {
  readonly send: (id: number, text: string) => void;
  /** It was ended here. */
  readonly end: () => void;
};

export type KeptSubscription = {
  readonly subscription: Subscription;
  readonly kind: 'post' | 'stream';
  /** After too many attempts: nothing is sent until it is resumed. */
  readonly isSuspended: boolean;
};

export type EventsDeps = {
  readonly server: LabServer;
  readonly clock: Clock;
  readonly places: EventPlaces;
  /** Without one a restart forgets who subscribed. */
  readonly store?: SubscriptionStore | undefined;
};

export const SUBSCRIPTIONS_MAX = 16;
const USUAL: EventSettings = { enabled: true, attempts: 3, intervalSeconds: 30 };

type Kept = KeptSubscription & {
  readonly send: (id: number, text: string) => void;
  readonly close: () => void;
};

export const createEvents = ({ server, clock, places, store }: EventsDeps): Events => {
  const kept = new Map<string, Kept>();
  let isClosed = false;
  let settings = USUAL;
  let lastId = 0;
  let lastEvent = 0;
  let stopWatching: (() => void) | undefined;

  const tell = (event: LabEvent): void => {
    if (!settings.enabled) return;
    lastEvent += 1;
    for (const { subscription, isSuspended, send } of kept.values()) {
      if (isSuspended || !wants(subscription, event)) continue;
      const { context } = subscription;
      send(lastEvent, JSON.stringify(eventMessage(event, { id: lastEvent, context })));
    }
  };
  /** Streams end with their connections. */
  const save = (): void => {
    if (isClosed) return;
    const posts = [...kept].filter(([, { kind }]) => kind === 'post');
    store?.save(
      posts.map(([id, { subscription, isSuspended }]) => ({ id, subscription, isSuspended })),
    );
  };
  const keepAs = (id: string, one: Kept): void => {
    lastId = Math.max(lastId, Number(id));
    kept.set(id, one);
    stopWatching ??= watchServer({ server, clock, places, tell });
  };
  const keep = (make: (id: string) => Kept): string | undefined => {
    if (kept.size >= SUBSCRIPTIONS_MAX || isClosed) return undefined;
    const id = String(lastId + 1);
    keepAs(id, make(id));
    save();
    return id;
  };
  const remove = (id: string): void => {
    kept.get(id)?.close();
    kept.delete(id);
    save();
    if (kept.size > 0) return;
    stopWatching?.();
    stopWatching = undefined;
  };
  const endStreams = (): void => {
    for (const [id, { kind }] of [...kept]) if (kind === 'stream') remove(id);
  };
  const change = (id: string, part: Partial<KeptSubscription>): void => {
    const found = kept.get(id);
    if (found === undefined) return;
    kept.set(id, { ...found, ...part });
    save();
  };
  const outboxOf = (id: string, made: Subscription): Outbox =>
    createOutbox({
      clock,
      subscription: () => kept.get(id)?.subscription ?? made,
      retries: () => settings,
      gaveUp: () => {
        const policy = kept.get(id)?.subscription.retryPolicy;
        if (policy === 'SuspendRetries') change(id, { isSuspended: true });
        else remove(id);
      },
    });

  const postingOf = (id: string, subscription: Subscription, isSuspended = false): Kept => {
    const outbox = outboxOf(id, subscription);
    const send = (_event: number, text: string): void => outbox.put(text);
    return { subscription, kind: 'post', isSuspended, send, close: outbox.close };
  };

  for (const { id, subscription, isSuspended } of store?.load() ?? []) {
    keepAs(id, postingOf(id, subscription, isSuspended));
  }
  return {
    tell,
    remove,
    endStreams,
    ids: () => [...kept.keys()],
    find: (id) => kept.get(id),
    subscribe: (subscription) => keep((id) => postingOf(id, subscription)),
    stream: (subscription, { send, end: close }) => {
      const id = keep(() => ({ subscription, kind: 'stream', isSuspended: false, send, close }));
      return id === undefined ? undefined : () => remove(id);
    },
    replace: (id, subscription) => change(id, { subscription }),
    resume: (id) => change(id, { isSuspended: false }),
    settings: () => settings,
    set: (next) => {
      settings = next;
      if (!next.enabled) endStreams();
    },
    close: () => {
      isClosed = true;
      for (const id of [...kept.keys()]) remove(id);
    },
  };
};
