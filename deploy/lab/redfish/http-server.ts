import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { LabCertificate } from './certificate.ts';
import { createWire, type WireOptions } from './wire.ts';

/** One controller's HTTPS server; plain HTTP without a certificate. */
export type RedfishServer = {
  readonly url: string;
  readonly port: number;
  readonly close: () => Promise<void>;
};

export type RedfishServerOptions = WireOptions & {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly certificate?: LabCertificate;
};

/** Connections that one controller holds at most, as theirs are few. */
const CONNECTIONS_MAX = 64;

export const startRedfishServer = async (options: RedfishServerOptions): Promise<RedfishServer> => {
  const { host, port, certificate } = options;
  const wire = createWire(options);
  const server: Server =
    certificate === undefined
      ? createServer()
      : createTlsServer({ cert: certificate.certificate, key: certificate.key });
  server.maxConnections = CONNECTIONS_MAX;
  server.on('request', (incoming, outgoing) => {
    wire(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.on('clientError', (error, socket) => {
    if (!socket.writable) return void socket.destroy();
    // Methods that HTTP knows and nothing here does come as requests, and are answered with 405.
    const isMethod = 'code' in error && error.code === 'HPE_INVALID_METHOD';
    const status = isMethod ? '501 Not Implemented' : '400 Bad Request';
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
  server.listen(port, host);
  await once(server, 'listening');
  const bound = portOf(server.address());
  const scheme = certificate === undefined ? 'http' : 'https';
  return {
    port: bound,
    url: `${scheme}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: async () => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
};

const portOf = (address: AddressInfo | string | null): number =>
  typeof address === 'object' && address !== null ? address.port : 0;
