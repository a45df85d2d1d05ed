import type { ILeaseKeepAliveResponse } from 'etcd3';
import { coordinationUnavailable, leaseLost } from '../failures.ts';
import type { Lease } from '../port.ts';
import { isLeaseGone, toReadFailure } from './failure.ts';
import type { Member, Members } from './members.ts';

/**
 * Leases by single calls. etcd3's own Lease renews in the background and reports a loss only after
 * twice the time to live; a leader must know before the first has passed.
 */
export const grantLease = async (
  members: Members,
  ttlMs: number,
  signal: AbortSignal,
): Promise<Lease> => {
  const request = { TTL: Math.max(Math.ceil(ttlMs / 1000), 1) };
  try {
    const { ID, TTL } = await members.ask(signal, ({ client, options }) =>
      client.leaseClient.leaseGrant(request, options),
    );
    return toLease(members, ID, Number(TTL) * 1000);
  } catch (error) {
    throw toReadFailure(error);
  }
};

const toLease = (members: Members, id: string, ttlMs: number): Lease => ({
  id,
  ttlMs,
  keepAlive: async (signal) => {
    let remaining: string;
    try {
      remaining = (await members.ask(signal, (member) => renew(member, id))).TTL;
    } catch (error) {
      throw isLeaseGone(error) ? leaseLost(id) : toReadFailure(error);
    }
    if (remaining === '0') throw leaseLost(id);
  },
  revoke: async (signal) => {
    try {
      await members.ask(signal, ({ client, options }) =>
        client.leaseClient.leaseRevoke({ ID: id }, options),
      );
    } catch (error) {
      if (!isLeaseGone(error)) throw toReadFailure(error);
    }
  },
});

/** etcd has no single call for this: one question and one answer on a stream. */
const renew = async ({ client, options }: Member, id: string): Promise<ILeaseKeepAliveResponse> => {
  const stream = await client.leaseClient.leaseKeepAlive(options);
  const answer = Promise.withResolvers<ILeaseKeepAliveResponse>();
  stream.on('error', answer.reject);
  stream.on('data', answer.resolve);
  stream.on('end', () => answer.reject(coordinationUnavailable('etcd ended the lease stream')));
  stream.write({ ID: id });
  try {
    return await answer.promise;
  } finally {
    stream.end();
  }
};
