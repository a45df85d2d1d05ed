/**
 * One UDP socket for one controller. It is connected, so that datagrams of others never reach us
 * and a closed port is noticed at once.
 */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { BmcError } from '../../../bmc-port.ts';
import { IPMI_PORT } from '../wire/rmcp.ts';
import { orAborted } from './ask.ts';

export type Datagrams = {
  readonly send: (bytes: Uint8Array) => void;
  /** One listener at a time; what arrives without one is dropped. */
  readonly listen: (heard: ((bytes: Buffer) => void) | undefined) => void;
  /** Aborts, with a BmcError, when the socket cannot be used any more. */
  readonly broken: AbortSignal;
  readonly close: () => void;
};

export type Endpoint = { readonly host: string; readonly port: number };

/** Host and port of "host", "host:port", "[::1]:port" or "ipmi://host:port". */
export const endpointOf = (address: string): Endpoint | undefined => {
  const bare = address.replace(/^ipmi:\/\//, '').replace(/\/$/, '');
  if (isIPv6(bare)) return { host: bare, port: IPMI_PORT };
  const parts = /^(?:\[([0-9a-f:.]+(?:%\w+)?)\]|([^[\]:/\s]+))(?::(\d{1,5}))?$/i.exec(bare);
  const host = parts?.[1] ?? parts?.[2];
  if (host === undefined) return undefined;
  const port = Number(parts?.[3] ?? IPMI_PORT);
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
};

/** Throws unreachable where the name or the route is not known. */
export const openDatagrams = async (
  { host, port }: Endpoint,
  { provider, signal }: { readonly provider: string; readonly signal: AbortSignal },
): Promise<Datagrams> => {
  const unreachable = (cause: unknown): BmcError =>
    new BmcError(
      'unreachable',
      `Nothing answers IPMI for provider "${provider}" at ${host} port ${port}: ${reasonOf(cause)}`,
      [],
      cause,
    );
  try {
    const found = await orAborted(lookup(host), signal);
    const socket = createSocket({ type: found.family === 6 ? 'udp6' : 'udp4' });
    await connected(socket, found.address, port);
    return overSocket(socket, unreachable);
  } catch (cause) {
    signal.throwIfAborted();
    throw unreachable(cause);
  }
};

const connected = (socket: Socket, address: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, address, () => {
      socket.off('error', reject);
      resolve();
    });
  });

const overSocket = (socket: Socket, unreachable: (cause: unknown) => BmcError): Datagrams => {
  const broken = new AbortController();
  let heard: ((bytes: Buffer) => void) | undefined;
  let closed = false;
  socket.on('message', (bytes) => heard?.(bytes));
  // ECONNREFUSED is the answer of the host itself: nobody listens on that port.
  socket.on('error', (cause) => broken.abort(unreachable(cause)));
  return {
    send: (bytes) => {
      if (closed) return;
      socket.send(bytes, (cause) => {
        if (cause !== null) broken.abort(unreachable(cause));
      });
    },
    listen: (listener) => {
      heard = listener;
    },
    broken: broken.signal,
    close: () => {
      if (closed) return;
      closed = true;
      heard = undefined;
      socket.close();
    },
  };
};

const reasonOf = (cause: unknown): string => {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'the port is closed',
    ENOTFOUND: 'the name is not known',
    EHOSTUNREACH: 'there is no way to the host',
    ENETUNREACH: 'there is no way to the network',
  };
  return known[code] ?? (code === '' ? String(cause) : code);
};
