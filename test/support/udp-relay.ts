import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

/** What becomes of a datagram on its way. */
export type Fate = 'pass' | 'drop' | 'twice' | 'garble';

export type UdpRelay = {
  /** "127.0.0.1:port" */
  readonly address: string;
  /** Asked for every datagram, with its number in that direction from 1. */
  readonly decide: (fate: (towards: 'server' | 'client', number: number) => Fate) => void;
  readonly count: (towards: 'server' | 'client') => number;
} & AsyncDisposable;

/** A bad network between one client at a time and a server on loopback. */
export const startUdpRelay = async (targetPort: number): Promise<UdpRelay> => {
  const near = createSocket('udp4');
  const far = createSocket('udp4');
  near.bind(0, '127.0.0.1');
  await once(near, 'listening');
  far.connect(targetPort, '127.0.0.1');
  await once(far, 'connect');
  let decide: (towards: 'server' | 'client', number: number) => Fate = () => 'pass';
  const counts = { server: 0, client: 0 };
  let client: { readonly port: number; readonly address: string } | undefined;

  const relay = (towards: 'server' | 'client', bytes: Buffer, send: (b: Buffer) => void): void => {
    counts[towards] += 1;
    switch (decide(towards, counts[towards])) {
      case 'pass':
        send(bytes);
        return;
      case 'twice':
        send(bytes);
        send(bytes);
        return;
      case 'garble': {
        const wrong = Buffer.from(bytes);
        wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 0xff;
        send(wrong);
        return;
      }
      case 'drop':
    }
  };
  near.on('message', (bytes, from) => {
    client = from;
    relay('server', bytes, (one) => far.send(one));
  });
  far.on('message', (bytes) => {
    relay('client', bytes, (one) => {
      if (client !== undefined) near.send(one, client.port, client.address);
    });
  });
  for (const socket of [near, far]) socket.on('error', () => undefined);
  return {
    address: `127.0.0.1:${near.address().port}`,
    decide: (fate) => {
      decide = fate;
    },
    count: (towards) => counts[towards],
    [Symbol.asyncDispose]: async () => {
      await Promise.all([closed(near), closed(far)]);
    },
  };
};

const closed = async (socket: Socket): Promise<void> => {
  socket.close();
  await once(socket, 'close');
};
