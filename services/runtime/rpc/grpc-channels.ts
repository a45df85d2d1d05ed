import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { Code, ConnectError } from '@connectrpc/connect';
import { Client, connectivityState, credentials } from '@grpc/grpc-js';
import type { TlsMaterial } from '../tls.ts';
import { urisIn } from './subject-alt-name.ts';

export type ChannelOptions = {
  /** Addresses "host:port" of processes that serve, asked before every call; may change. */
  readonly addresses: () => readonly string[];
  readonly tls: TlsMaterial;
  /**
   * SPIFFE id that the server must show, for example "spiffe://lab/service/machine". Absent: its
   * certificate must name the host that was dialled.
   */
  readonly serverId?: string;
  /** Longest answer that is read, in bytes; absent = 16 MiB. */
  readonly messageBytesMax?: number;
};

export type Channels = {
  /**
   * A client with a connection. Tries each address once; throws UNAVAILABLE when none answers,
   * DEADLINE_EXCEEDED or the signal's reason before.
   */
  readonly ready: (deadlineMs: number, signal: AbortSignal | undefined) => Promise<Client>;
  readonly close: () => void;
};

const CONNECT_MS = 5_000;
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** One connection per address, made when first needed; the one that worked last is kept. */
export const createChannels = (options: ChannelOptions): Channels => {
  const clients = new Map<string, Client>();
  let preferred = '';
  let isClosed = false;
  const drop = (address: string) => {
    clients.get(address)?.close();
    clients.delete(address);
  };
  const forget = options.tls.onChange(() => {
    // A new certificate is shown by new connections; calls that run keep the old one.
    for (const address of [...clients.keys()]) drop(address);
  });
  const clientOf = (address: string): Client => {
    const client = clients.get(address) ?? makeClient(address, options);
    clients.set(address, client);
    return client;
  };
  return {
    ready: async (deadlineMs, signal) => {
      if (isClosed) throw new ConnectError('The transport is closed', Code.Canceled);
      const addresses = options.addresses();
      for (const known of [...clients.keys()]) if (!addresses.includes(known)) drop(known);
      const order = addresses.includes(preferred)
        ? [preferred, ...addresses.filter((address) => address !== preferred)]
        : addresses;
      for (const address of order) {
        const client = clientOf(address);
        if (isReady(client) || (await connect(client, deadlineMs, signal))) {
          preferred = address;
          return client;
        }
      }
      throw failure(order, deadlineMs, signal);
    },
    close: () => {
      isClosed = true;
      forget();
      for (const address of [...clients.keys()]) drop(address);
    },
  };
};

const makeClient = (address: string, options: ChannelOptions): Client => {
  const { ca, certificate, key } = options.tls.current();
  const { serverId } = options;
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  const secure = credentials.createSsl(
    Buffer.from(ca),
    Buffer.from(key),
    Buffer.from(certificate),
    {
      checkServerIdentity: (_, shown) =>
        serverId === undefined ? checkServerIdentity(host, shown) : checkSpiffe(serverId, shown),
    },
  );
  return new Client(address, secure, {
    // Node refuses an IP address as TLS server name, and grpc-js would send it. The check above has
    // the true host.
    ...(isIP(host) !== 0 && { 'grpc.ssl_target_name_override': 'localhost' }),
    // A proxy between our own processes would end TLS and take their identity away.
    'grpc.enable_http_proxy': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 5_000,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_receive_message_length': options.messageBytesMax ?? MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': -1,
  });
};

const checkSpiffe = (serverId: string, shown: PeerCertificate): Error | undefined =>
  urisIn(shown.subjectaltname ?? '').includes(serverId)
    ? undefined
    : new Error(`The server is not ${serverId} but ${shown.subjectaltname ?? 'nameless'}`);

const isReady = (client: Client): boolean =>
  client.getChannel().getConnectivityState(true) === connectivityState.READY;

/**
 * Waits until the channel is connected (true) or has failed once, timed out or is not wanted any
 * more (false).
 */
const connect = (
  client: Client,
  deadlineMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> =>
  new Promise((resolve) => {
    const channel = client.getChannel();
    const untilMs = Math.min(deadlineMs, Date.now() + CONNECT_MS);
    const onAbort = () => settle(false);
    const settle = (connected: boolean) => {
      signal?.removeEventListener('abort', onAbort);
      resolve(connected);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const look = () => {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) settle(true);
      else if (state === connectivityState.TRANSIENT_FAILURE || signal?.aborted) settle(false);
      else if (state === connectivityState.SHUTDOWN) settle(false);
      else {
        channel.watchConnectivityState(state, untilMs, (error) => {
          if (error === undefined) look();
          else settle(false);
        });
      }
    };
    look();
  });

const failure = (
  addresses: readonly string[],
  deadlineMs: number,
  signal: AbortSignal | undefined,
): ConnectError => {
  if (signal?.aborted) return ConnectError.from(signal.reason, Code.Canceled);
  if (Date.now() >= deadlineMs) {
    return new ConnectError('The deadline passed while connecting', Code.DeadlineExceeded);
  }
  const tried = addresses.length === 0 ? 'no address is known' : `tried ${addresses.join(', ')}`;
  return new ConnectError(`The service cannot be reached: ${tried}`, Code.Unavailable);
};
