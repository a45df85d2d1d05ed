import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { LabCertificate } from '../../deploy/lab/redfish/certificate.ts';

/** One Redfish event as it came in, with the part that says what happened. */
export type Heard = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
  readonly record: Readonly<Record<string, unknown>>;
};

/** A subscriber to Redfish events. */
export type EventListener = AsyncDisposable & {
  readonly url: string;
  readonly heard: readonly Heard[];
  /** The last parts of the MessageIds, in order. */
  readonly names: () => readonly string[];
  /** With which status it answers; 0: not at all. 204 at first. */
  readonly answerWith: (status: number) => void;
};

export const eventListener = async (certificate?: LabCertificate): Promise<EventListener> => {
  const heard: Heard[] = [];
  let status = 204;
  const server: Server =
    certificate === undefined
      ? createServer()
      : createTlsServer({ cert: certificate.certificate, key: certificate.key });
  server.on('request', async (incoming, outgoing) => {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(Buffer.from(part));
    const body = JSON.parse(Buffer.concat(parts).toString());
    const { method = '', url: path = '', headers } = incoming;
    heard.push({ method, path, headers, body, record: body.Events[0] });
    if (status > 0) outgoing.writeHead(status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${portOf(server.address())}`,
    heard,
    names: () => heard.map(({ record }) => String(record.MessageId).split('.').at(-1) ?? ''),
    answerWith: (next) => {
      status = next;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
};

const portOf = (address: AddressInfo | string | null): number =>
  typeof address === 'object' && address !== null ? address.port : 0;
