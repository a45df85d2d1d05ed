import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { ownNumber } from '../own-number.ts';

/**
 * Above the ports that guests get (20 000 to 29 999), and below those that the system gives to
 * whoever asks for any: one of these would be somebody else's before a process that takes a second
 * to start could listen on it, or while it is being restarted.
 */
const PORTS = { kind: 'port', first: 30_000, last: 32_767 };
const HOST = '127.0.0.1';

/** A port of loopback that nobody listens on, and that no other test gets meanwhile. */
export const freePort = (): Promise<number> => freeFor(canListen);

/** The same for UDP. */
export const freeUdpPort = (): Promise<number> => freeFor(canBind);

const freeFor = async (isFree: (port: number) => Promise<boolean>): Promise<number> => {
  for (;;) {
    const port = ownNumber(PORTS);
    if (await isFree(port)) return port;
  }
};

const canListen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: HOST, port, exclusive: true }, () => server.close(() => resolve(true)));
  });

const canBind = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind({ address: HOST, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
