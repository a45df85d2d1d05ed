/**
 * The TLS listener for people: HTTP/2 and HTTP/1.1 on one port, no client certificate asked, limits
 * against clients that are slow, idle, greedy or hostile.
 */
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { unavailable } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { TlsMaterial } from '../tls.ts';
import type { Listen, Mount } from './mount.ts';

export type PeopleServerOptions = {
  readonly tls: TlsMaterial;
  readonly listen: Listen;
  readonly log: Logger;
  readonly onRequest: (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  readonly limits?: Partial<ConnectionLimits>;
};

export type ConnectionLimits = {
  readonly connectionsMax: number;
  /** Calls at once on one HTTP/2 connection. */
  readonly streamsPerConnectionMax: number;
  /** Headers must be complete within this, also the TLS handshake. */
  readonly headersMs: number;
  /** Over HTTP/1.1 the whole request must have come within this. */
  readonly requestMs: number;
  /** A connection without calls is closed after this. */
  readonly idleMs: number;
  /** How often one with calls is asked whether its client is still there. */
  readonly askMs: number;
  /** What the answer may take. */
  readonly answerMs: number;
};

const LIMITS: ConnectionLimits = {
  connectionsMax: 4_000,
  streamsPerConnectionMax: 128,
  headersMs: 15_000,
  requestMs: 120_000,
  idleMs: 90_000,
  // Together half a minute: a console's place is free again soon after its writer vanished.
  askMs: 10_000,
  answerMs: 20_000,
};

const HEADER_BYTES_MAX = 32 * 1024;

/** Starts listening. Throws UNAVAILABLE naming the address when it cannot be taken. */
export const startPeopleServer = async (options: PeopleServerOptions): Promise<Mount> => {
  const limits = { ...LIMITS, ...options.limits };
  const server = createServer(options, limits);
  const connections = trackConnections(server, options.log, limits);
  const forgetTls = options.tls.onChange(({ certificate, key }) => {
    server.setSecureContext({ cert: certificate, key });
  });
  const { host } = options.listen;
  const port = await listen(server, options.listen);
  options.log.info({ host, port }, 'listening for people');
  return {
    host,
    port,
    stop: async (signal) => {
      forgetTls();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      connections.close();
      const force = () => connections.destroy();
      if (signal.aborted) force();
      else signal.addEventListener('abort', force, { once: true });
      await closed;
      signal.removeEventListener('abort', force);
    },
  };
};

const createServer = (
  { tls, onRequest }: PeopleServerOptions,
  limits: ConnectionLimits,
): Http2SecureServer => {
  const { certificate, key } = tls.current();
  const server = createSecureServer(
    {
      allowHTTP1: true,
      cert: certificate,
      key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: limits.headersMs,
      maxSessionMemory: 16,
      maxHeaderListPairs: 128,
      unknownProtocolTimeout: limits.headersMs,
      // HTTP/1.1 has no ping. The system asks ten times more, a second apart, but only while
      // nothing of ours is on its way; that is sent again until its own limit.
      keepAlive: true,
      keepAliveInitialDelay: limits.askMs,
      settings: {
        maxConcurrentStreams: limits.streamsPerConnectionMax,
        maxHeaderListSize: HEADER_BYTES_MAX,
      },
    },
    onRequest,
  );
  server.maxConnections = limits.connectionsMax;
  // Node applies these to its HTTP/1.1 side, but the type does not know them.
  Object.assign(server, {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headersMs),
  });
  return server;
};

const listen = (server: Http2SecureServer, { host, port }: Listen): Promise<number> =>
  new Promise((resolve, reject) => {
    const onError = (cause: Error) =>
      reject(unavailable('SERVICE_UNAVAILABLE', `Cannot listen on ${host}:${port}`, { cause }));
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });

type Connections = { readonly close: () => void; readonly destroy: () => void };

const trackConnections = (
  server: Http2SecureServer,
  log: Logger,
  limits: ConnectionLimits,
): Connections => {
  const sockets = new Set<TLSSocket>();
  const sessions = new Set<ServerHttp2Session>();
  const busy = new Map<TLSSocket, number>();
  let isClosing = false;
  const quiet = (what: string) => (error: unknown) => log.debug({ err: error }, what);
  server.on('error', quiet('people server error'));
  server.on('tlsClientError', quiet('TLS handshake failed'));
  server.on('sessionError', quiet('HTTP/2 session error'));
  server.on('secureConnection', (socket: TLSSocket) => {
    sockets.add(socket);
    socket.on('error', quiet('connection error'));
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session);
    session.on('error', quiet('HTTP/2 session error'));
    session.on('close', () => sessions.delete(session));
    watchSession(session, limits);
  });
  // An idle HTTP/1.1 connection would hold the close back until its keep-alive ends.
  server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
    if (request.httpVersionMajor !== 1) return;
    const socket = request.socket as TLSSocket;
    busy.set(socket, (busy.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = (busy.get(socket) ?? 1) - 1;
      if (left > 0) busy.set(socket, left);
      else busy.delete(socket);
      if (isClosing && left === 0) socket.end();
    });
  });
  return {
    close: () => {
      isClosing = true;
      for (const session of sessions) session.close();
      for (const socket of sockets) {
        if (socket.alpnProtocol !== 'h2' && !busy.has(socket)) socket.destroy();
      }
    },
    destroy: () => {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
};

/**
 * Closes a session that carries no call for long; one that does must answer pings, as a client that
 * vanished without a word is noticed by nothing else.
 */
const watchSession = (
  session: ServerHttp2Session,
  { idleMs, askMs, answerMs }: ConnectionLimits,
): void => {
  let streams = 0;
  let lost: NodeJS.Timeout | undefined;
  session.on('stream', (stream) => {
    streams += 1;
    stream.once('close', () => {
      streams -= 1;
    });
  });
  session.setTimeout(idleMs, () => {
    if (streams === 0) session.close();
  });
  const answered = () => {
    clearTimeout(lost);
    lost = undefined;
  };
  const giveUp = () => {
    // After a stall of ours the answer may lie here unread.
    setImmediate(() => {
      if (lost !== undefined) session.destroy();
    });
  };
  const asking = setInterval(() => {
    if (streams === 0 || lost !== undefined) return;
    lost = setTimeout(giveUp, answerMs);
    if (!session.ping(answered)) session.destroy();
  }, askMs);
  session.once('close', () => {
    clearInterval(asking);
    answered();
  });
};
