import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Fixture } from './fixture.ts';

export type RawAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
};

export type RawRequest = {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
};

/** One request over HTTP/1.1, with nothing added to it. */
export const http1 = (fixture: Fixture, request: RawRequest): Promise<RawAnswer> =>
  new Promise((resolve, reject) => {
    const sent = httpsRequest(
      `${fixture.endpoint}${request.path}`,
      {
        method: request.method ?? 'POST',
        ca: fixture.authority.ca,
        headers: request.headers ?? {},
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(request.body);
  });

/** A connection on which a test can write whatever it likes. */
export const rawTls = (fixture: Fixture, protocols: string[] = []): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = connectTls(
      {
        host: '127.0.0.1',
        port: fixture.people.port,
        ca: fixture.authority.ca,
        ALPNProtocols: protocols,
      },
      () => {
        socket.off('error', reject);
        socket.on('error', () => undefined);
        resolve(socket);
      },
    );
    socket.once('error', reject);
  });

export const http2 = (fixture: Fixture, port = fixture.people.port): ClientHttp2Session => {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: fixture.authority.ca });
  session.on('error', () => undefined);
  return session;
};
