import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP relay on loopback that can lose answers and break connections. */
export type TcpProxy = {
  readonly port: number;
  /** From now on requests go through and answers are swallowed. */
  readonly swallowAnswers: () => void;
  /** Breaks all connections; new ones are relayed in both directions. */
  readonly cut: () => void;
} & AsyncDisposable;

export const startTcpProxy = async (targetPort: number, host = '127.0.0.1'): Promise<TcpProxy> => {
  const sockets = new Set<Socket>();
  let swallowing = false;
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer((downstream) => {
    const upstream = connect(targetPort, '127.0.0.1');
    track(downstream);
    track(upstream);
    downstream.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => {
      if (!swallowing) downstream.write(bytes);
    });
    downstream.on('close', () => upstream.destroy());
    upstream.on('close', () => downstream.destroy());
  });
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const cut = (): void => {
    swallowing = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    swallowAnswers: () => {
      swallowing = true;
    },
    cut,
    [Symbol.asyncDispose]: async () => {
      cut();
      if (server.listening) await new Promise((done) => server.close(done));
    },
  };
};
