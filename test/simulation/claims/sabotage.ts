/**
 * Breaks one safeguard of the commit protocol at a time, from outside: the transactions of a
 * replica are changed on their way to the store. The checker has to notice.
 */
import type {
  Coordination,
  KeyValue,
  Transaction,
} from '../../../services/store/coordination/port.ts';

export type Safeguard = 'fence' | 'head' | 'nonce';

export const without = (safeguard: Safeguard, store: Coordination): Coordination => {
  switch (safeguard) {
    case 'fence':
      return withoutCompare(store, '/leader');
    case 'head':
      return withoutCompare(store, '/head');
    case 'nonce':
      return withoutNonce(store);
  }
};

const isCommit = ({ writes }: Transaction): boolean =>
  writes.some((write) => 'put' in write && write.put.endsWith('/head'));

const withoutCompare = (store: Coordination, keyEnd: string): Coordination => ({
  ...store,
  transact: (transaction, signal) => {
    if (!isCommit(transaction)) return store.transact(transaction, signal);
    const compare = transaction.compare.filter(({ key }) => !key.endsWith(keyEnd));
    return store.transact({ ...transaction, compare }, signal);
  },
});

/** Whatever head it reads looks like the one that it put last. */
const withoutNonce = (store: Coordination): Coordination => {
  let own: string | undefined;
  return {
    ...store,
    transact: (transaction, signal) => {
      for (const write of transaction.writes) {
        if ('put' in write && write.put.endsWith('/head')) own = nonceIn(write.value) ?? own;
      }
      return store.transact(transaction, signal);
    },
    get: async (key, signal) => {
      const found = await store.get(key, signal);
      return found === undefined || own === undefined || !key.endsWith('/head')
        ? found
        : withNonce(found, own);
    },
  };
};

const headIn = (value: Uint8Array): object => {
  const head: unknown = JSON.parse(Buffer.from(value).toString());
  if (typeof head === 'object' && head !== null) return head;
  throw new Error('The head is no record');
};

const nonceIn = (value: Uint8Array): string | undefined => {
  const head = headIn(value);
  return 'nonce' in head && typeof head.nonce === 'string' ? head.nonce : undefined;
};

const withNonce = (found: KeyValue, nonce: string): KeyValue => ({
  ...found,
  value: Buffer.from(JSON.stringify({ ...headIn(found.value), nonce })),
});
