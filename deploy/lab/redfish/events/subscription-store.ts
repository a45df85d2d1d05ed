import { readPrivateJson, writePrivateFile } from '../../state-file.ts';
import { EVERYTHING, type Subscription } from './subscription.ts';

export type StoredSubscription = {
  readonly id: string;
  readonly subscription: Subscription;
  readonly isSuspended: boolean;
};

/** Who subscribed is not forgotten by a restart (DSP0266, eventing). */
export type SubscriptionStore = {
  readonly load: () => readonly StoredSubscription[];
  readonly save: (all: readonly StoredSubscription[]) => void;
};

/** In a file that others cannot read, since headers may hold credentials of the destination. */
export const createSubscriptionStore = (path: string): SubscriptionStore => ({
  load: () => readPrivateJson(path, storedIn) ?? [],
  save: (all) => {
    const shown = all.map(({ subscription, ...rest }) => ({
      ...rest,
      subscription: { ...subscription, headers: [...subscription.headers] },
    }));
    writePrivateFile(path, `${JSON.stringify(shown)}\n`);
  },
});

// Only what could hurt is checked: the file is ours and is replaced whole.
const storedIn = (value: unknown): readonly StoredSubscription[] => {
  if (!Array.isArray(value)) throw new Error('it is no list of subscriptions');
  return value.map(({ id, isSuspended, subscription }) => ({
    id: String(id),
    isSuspended: isSuspended === true,
    subscription: { ...EVERYTHING, ...subscription, headers: new Map(subscription.headers) },
  }));
};
