import type { Interceptor, Transport } from '@connectrpc/connect';
import { createConnectTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { tellingBrokenConnections } from './broken-connection.ts';

export type PeopleTransportOptions = {
  /** "https://host:port" of the listener for people. */
  readonly endpoint: string;
  /** PEM of the CA that signed its certificate; absent = the system's. */
  readonly caPem?: string;
  /** Bearer token; absent = no credentials. */
  readonly token?: string;
  /**
   * For a unary call whose caller sets no timeout, in milliseconds; absent = 30 000. Streams have
   * none.
   */
  readonly timeoutMs?: number;
  readonly requestId?: () => string;
};

export type PeopleTransport = { readonly transport: Transport; readonly close: () => void };

const TIMEOUT_MS = 30_000;

/**
 * How programs of people reach the public contract: Connect over HTTP/2, with a token. Used by runm
 * and by tests.
 */
export const createPeopleTransport = (options: PeopleTransportOptions): PeopleTransport => {
  const sessions = new Http2SessionManager(
    options.endpoint,
    { pingIntervalMs: 30_000, pingTimeoutMs: 10_000 },
    options.caPem === undefined ? {} : { ca: options.caPem },
  );
  const transport = createConnectTransport({
    baseUrl: options.endpoint,
    httpVersion: '2',
    sessionManager: sessions,
    interceptors: [tellingBrokenConnections, asCaller(options)],
  });
  const unaryMs = options.timeoutMs ?? TIMEOUT_MS;
  return {
    transport: {
      unary: (method, signal, timeoutMs, ...rest) =>
        transport.unary(method, signal, timeoutMs ?? unaryMs, ...rest),
      stream: (...call) => transport.stream(...call),
    },
    close: () => sessions.abort(),
  };
};

const asCaller =
  ({ token, requestId }: PeopleTransportOptions): Interceptor =>
  (next) =>
  (request) => {
    if (token !== undefined) request.header.set('authorization', `Bearer ${token}`);
    if (requestId !== undefined) request.header.set('x-request-id', requestId());
    return next(request);
  };
