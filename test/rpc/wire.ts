/** HTTP/2 without a client library above it: whatever a test wants to send goes out as it is. */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Pem } from '../../services/runtime/tls.ts';

/** Where to; with a certificate it is the listener for services and agents. */
export type Target = { readonly port: number; readonly ca: string; readonly own?: Pem };

export type Sent = {
  readonly path: string;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

export type Answer =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** Headers and trailers. */
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  /** The stream or the connection was ended instead. */
  | { readonly kind: 'hung up' }
  | { readonly kind: 'silent' };

export type Wire = Disposable & { readonly send: (sent: Sent) => Promise<Answer> };

const LIMIT_MS = 60_000;
const GRACE_MS = 1_000;

/** One connection, made anew when the other side has had enough of it. */
export const openWire = ({ port, ca, own }: Target): Wire => {
  let session: ClientHttp2Session | undefined;
  const current = (): ClientHttp2Session => {
    if (session !== undefined && !session.destroyed && !session.closed) return session;
    const client = own === undefined ? {} : { cert: own.certificate, key: own.key };
    session = connect(`https://localhost:${port}`, { ca, ...client });
    session.on('error', () => undefined);
    return session;
  };
  return {
    send: (sent) => exchange(current(), sent),
    [Symbol.dispose]: () => session?.destroy(),
  };
};

const exchange = (session: ClientHttp2Session, sent: Sent): Promise<Answer> =>
  new Promise((resolve) => {
    const headers: Record<string, string> = {};
    let status = 0;
    const chunks: Buffer[] = [];
    const take = (some: IncomingHttpHeaders) => {
      for (const [name, value] of Object.entries(some)) headers[name] = String(value);
    };
    const stream = session.request({
      ':method': sent.method ?? 'POST',
      ':path': sent.path,
      ...sent.headers,
    });
    const end = (answer: Answer) => {
      clearTimeout(timer);
      stream.close();
      resolve(answer);
    };
    const timer = setTimeout(() => end({ kind: 'silent' }), LIMIT_MS);
    stream.on('response', (some) => {
      status = Number(some[':status']);
      take(some);
    });
    stream.on('trailers', take);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => end({ kind: 'hung up' }));
    stream.on('close', () => {
      const body = Buffer.concat(chunks).toString('latin1');
      end(status === 0 ? { kind: 'hung up' } : { kind: 'answered', status, headers, body });
    });
    stream.end(sent.body);
  });

/** Resolves when a connection is over; ends it after a second. */
export const closed = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) return resolve();
    const late = setTimeout(() => socket.destroy(), GRACE_MS);
    socket.once('close', () => {
      clearTimeout(late);
      resolve();
    });
  });

/** A TLS connection on which anything can be written. */
export const rawTlsTo = ({ port, ca, own }: Target, protocol: string): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const client = own === undefined ? {} : { cert: own.certificate, key: own.key };
    const socket = connectTls(
      { host: 'localhost', port, ca, ...client, ALPNProtocols: [protocol] },
      () => {
        socket.off('error', reject);
        socket.on('error', () => undefined);
        socket.resume();
        resolve(socket);
      },
    );
    socket.once('error', reject);
  });
