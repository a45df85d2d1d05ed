/**
 * Which port of this host leads to which port of a guest. A port is handed out only after it was
 * really bound for a moment, because nothing else tells that another program has it; two guests
 * never get the same one, even while both are off.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { failedPrecondition, resourceExhausted } from '../../../runtime/errors.ts';
import type { ForwardSpec, GuestSpec } from './guest-spec.ts';

export type PortForward = {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly guestPort: number;
  /** Index of the guest's nic. */
  readonly nic: number;
};

export type PortAllocator = {
  /**
   * Marks forwards from a guest's record as taken; the last word on a port wins nothing: the first
   * owner keeps it.
   */
  readonly reserve: (owner: string, forwards: readonly PortForward[]) => void;
  /**
   * The forwards of a guest that is off. A port it had before is kept where it is still free.
   * Throws failed_precondition PORT_TAKEN for a wished port that is in use, resource_exhausted
   * NO_FREE_PORT.
   */
  readonly allocate: (guest: GuestSpec, before: readonly PortForward[]) => Promise<PortForward[]>;
  readonly release: (owner: string) => void;
};

type WantedForward = ForwardSpec & { readonly owner: string };

export type PortRange = {
  readonly firstPort: number;
  readonly lastPort: number;
};

export const createPortAllocator = (range: PortRange): PortAllocator => {
  const owners = new Map<string, string>();
  const keyOf = (protocol: string, port: number) => `${protocol}:${port}`;

  const claim = async (want: WantedForward, port: number): Promise<boolean> => {
    const { owner, protocol, hostAddress } = want;
    const key = keyOf(protocol, port);
    const holder = owners.get(key);
    if (holder !== undefined && holder !== owner) return false;
    // Held before the test, so that two starts at once do not both find it free.
    owners.set(key, owner);
    if (await canBind(protocol, hostAddress, port)) return true;
    owners.delete(key);
    return false;
  };

  const choose = async (want: WantedForward): Promise<number> => {
    const { firstPort, lastPort } = range;
    for (let port = firstPort; port <= lastPort; port += 1) {
      if (!owners.has(keyOf(want.protocol, port)) && (await claim(want, port))) return port;
    }
    throw resourceExhausted(
      'NO_FREE_PORT',
      `No free ${want.protocol} port from ${firstPort} to ${lastPort} on ${want.hostAddress}`,
      { metadata: { firstPort: String(firstPort), lastPort: String(lastPort) } },
    );
  };

  const claimWished = async (want: WantedForward, port: number): Promise<number> => {
    if (await claim(want, port)) return port;
    const { protocol } = want;
    const holder = owners.get(keyOf(protocol, port));
    throw failedPrecondition(
      'PORT_TAKEN',
      `Cannot forward ${protocol} port ${port}: ` +
        (holder === undefined ? 'another program uses it' : `guest "${holder}" has it`),
      { metadata: { port: String(port), protocol, holder: holder ?? '' } },
    );
  };

  const settle = async (want: WantedForward, had: number | undefined): Promise<number> => {
    if (want.hostPort !== null) return claimWished(want, want.hostPort);
    if (had !== undefined && (await claim(want, had))) return had;
    return choose(want);
  };

  return {
    reserve: (owner, forwards) => {
      for (const { protocol, hostPort } of forwards) {
        const key = keyOf(protocol, hostPort);
        if (!owners.has(key)) owners.set(key, owner);
      }
    },
    allocate: async (guest, before) => {
      const forwards: PortForward[] = [];
      for (const [nic, { forwards: wished }] of guest.nics.entries()) {
        for (const wish of wished) {
          const { protocol, guestPort, hostAddress } = wish;
          const had = before.find(
            (one) => one.nic === nic && one.protocol === protocol && one.guestPort === guestPort,
          );
          const hostPort = await settle({ ...wish, owner: guest.name }, had?.hostPort);
          forwards.push({ protocol, hostAddress, hostPort, guestPort, nic });
        }
      }
      return forwards;
    },
    release: (owner) => {
      for (const [key, holder] of owners) if (holder === owner) owners.delete(key);
    },
  };
};

/** True when the port could be bound a moment ago. */
export const canBind = (protocol: 'tcp' | 'udp', address: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    if (protocol === 'tcp') {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen({ host: address, port, exclusive: true }, () =>
        server.close(() => resolve(true)),
      );
      return;
    }
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
