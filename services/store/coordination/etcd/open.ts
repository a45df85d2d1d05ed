import type { Logger } from 'pino';
import type { Clock } from '../../../runtime/clock.ts';
import { invalidArgument } from '../../../runtime/errors.ts';
import type { Random } from '../../../runtime/random.ts';
import { coordinationUnavailable, futureRevision, leaseLost, outcomeUnknown } from '../failures.ts';
import {
  type Coordination,
  type KeyValue,
  RANGE_LIMIT_DEFAULT,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type Transaction,
  type TransactionResult,
} from '../port.ts';
import { assertValidKey, assertValidRange, assertValidTransaction } from '../transaction-rules.ts';
import type { Tls } from './channel.ts';
import { isCompacted, isFuture, isLeaseGone, toReadFailure, toWriteFailure } from './failure.ts';
import { grantLease } from './lease.ts';
import { type Ask, type Members, openMembers, type User } from './members.ts';
import { type Messages, openMessages } from './messages.ts';
import { callRange } from './range-call.ts';
import { callTxn, encodeTxn } from './txn-call.ts';
import { watch } from './watch.ts';

export type EtcdOptions = {
  /** `https://host:port` of every member; `http://` without `tls`. */
  readonly endpoints: readonly string[];
  /** PEM of the cluster's CA and of our client certificate and key. Absent = no TLS. */
  readonly tls?: Tls;
  /** Where etcd has authentication by password on. */
  readonly user?: User;
  /** Put before every key, so that installations can share a cluster. Empty = none. */
  readonly prefix?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Limit of one call over all members, in milliseconds. */
  readonly callTimeoutMs: number;
};

/** Coordination on an etcd cluster. Connects when it is first used, and again by itself. */
export const openEtcdCoordination = (options: EtcdOptions): Coordination => {
  assertEndpoints(options);
  const members = openMembers(options);
  const messages = openMessages(options.prefix ?? '');
  const closing = new AbortController();
  const store = { members, messages };

  /** Reads and calls that may be repeated. */
  const ask = async <T>(signal: AbortSignal, question: Ask<T>): Promise<T> => {
    if (signal.aborted) throw coordinationUnavailable('Given up', signal.reason);
    try {
      return await members.ask(signal, question);
    } catch (error) {
      throw toReadFailure(error);
    }
  };

  return {
    get: (key, signal) => getKey(messages, key, (question) => ask(signal, question)),
    range: (range, signal) => readRange(messages, range, (question) => ask(signal, question)),
    transact: (transaction, signal) => transact(store, transaction, signal),
    grantLease: async (ttlMs, signal) => {
      if (!(ttlMs > 0)) throw invalidArgument('INVALID_TTL', `${ttlMs} ms is not a time to live`);
      if (signal.aborted) throw coordinationUnavailable('Given up', signal.reason);
      return grantLease(members, ttlMs, signal);
    },
    watch: (watched) => watch({ ...options, ...store, closed: closing.signal }, watched),
    compact: (revision, signal) => compact(members, revision, signal),
    ping: async (signal) => {
      // A linearizable read: it is answered only while a majority of the members agrees.
      const request = { key: messages.key('-'), keys_only: true };
      await ask(signal, ({ client, options }) => client.kv.range(request, options));
    },
    close: async () => {
      closing.abort(new Error('The store is closed'));
      members.close();
    },
  };
};

const assertEndpoints = ({ endpoints, tls }: EtcdOptions): void => {
  const scheme = tls === undefined ? 'http://' : 'https://';
  if (endpoints.length === 0) throw invalidArgument('NO_ENDPOINT', 'etcd needs an endpoint');
  for (const endpoint of endpoints)
    if (!endpoint.startsWith(scheme))
      throw invalidArgument(
        'INVALID_ENDPOINT',
        `etcd endpoint "${endpoint}" must begin with ${scheme}${tls ? '' : ' (no TLS is set)'}`,
        { metadata: { endpoint } },
      );
};

type Reader = <T>(question: Ask<T>) => Promise<T>;

const getKey = async (
  messages: Messages,
  key: string,
  ask: Reader,
): Promise<KeyValue | undefined> => {
  assertValidKey(key);
  const request = { key: messages.key(key) };
  const { kvs } = await ask(({ client, options }) => client.kv.range(request, options));
  const found = kvs[0];
  return found === undefined ? undefined : messages.keyValue(found);
};

const readRange = async (
  messages: Messages,
  range: RangeOptions,
  ask: Reader,
): Promise<RangeResult> => {
  assertValidRange(range);
  const { prefix, after, until, limit = RANGE_LIMIT_DEFAULT, revision } = range;
  const { key, range_end: end } = messages.span(prefix, after);
  const horizon = until === undefined ? end : messages.key(until);
  const rangeEnd = Buffer.compare(horizon, end) < 0 ? horizon : end;
  const question = { key, rangeEnd, limit, revision };
  const page = await ask((member) => callRange(member, question, messages));
  return revision === undefined ? page : { ...page, revision };
};

const transact = async (
  { members, messages }: { readonly members: Members; readonly messages: Messages },
  transaction: Transaction,
  signal: AbortSignal,
): Promise<TransactionResult> => {
  assertValidTransaction(transaction);
  if (signal.aborted) throw coordinationUnavailable('Given up', signal.reason);
  const request = encodeTxn(transaction, messages);
  try {
    return await members.askOnce(signal, (member) => callTxn(member, request));
  } catch (error) {
    // The request may be on its way: giving up on the answer says nothing about the outcome.
    if (signal.aborted) throw outcomeUnknown(error);
    throw isLeaseGone(error) ? leaseLost(leaseOf(transaction)) : toWriteFailure(error);
  }
};

/** etcd does not say which lease is gone; a transaction rarely names more than one. */
const leaseOf = ({ writes }: Transaction): string => {
  for (const write of writes) if ('put' in write && write.leaseId) return write.leaseId;
  return '';
};

/** etcd keeps what can be read at the revision it compacts, but not the deletes made in it. */
const compact = async (
  members: Members,
  revision: Revision,
  signal: AbortSignal,
): Promise<void> => {
  if (signal.aborted) throw coordinationUnavailable('Given up', signal.reason);
  if (revision <= 1n) return;
  const request = { revision: String(revision - 1n) };
  try {
    await members.ask(signal, ({ client, options }) => client.kv.compact(request, options));
  } catch (error) {
    if (isCompacted(error)) return;
    throw isFuture(error) ? futureRevision(error) : toReadFailure(error);
  }
};
