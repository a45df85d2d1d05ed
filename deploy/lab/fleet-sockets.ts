import { createSocket, type Socket } from 'node:dgram';
import { failedPrecondition } from '../../services/runtime/errors.ts';

export type FleetSockets = { readonly port: number; readonly close: () => Promise<void> };

export type FleetSocketsOptions = {
  readonly count: number;
  /** 0: any that is free on all addresses. */
  readonly port: number;
  readonly addressOf: (index: number) => string;
  readonly take: (index: number, datagram: Buffer, reply: (answer: Buffer) => void) => void;
};

const TRIES = 10;
/** So many are opened at once. */
const BATCH = 500;

/** A UDP socket for each: only by it does an answer come from the address that was asked. */
export const openFleetSockets = async (options: FleetSocketsOptions): Promise<FleetSockets> => {
  for (let tries = 1; ; tries += 1) {
    const sockets: Socket[] = [];
    try {
      const port = await openAll(options, sockets);
      return { port, close: () => closeAll(sockets) };
    } catch (cause) {
      await closeAll(sockets);
      const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
      if (isTaken && options.port === 0 && tries < TRIES) continue;
      throw failedPrecondition(
        'FLEET_ADDRESS',
        `Cannot open ${options.count} UDP sockets; may this process open so many files?`,
        { cause },
      );
    }
  }
};

const openAll = async (options: FleetSocketsOptions, sockets: Socket[]): Promise<number> => {
  const first = await open(options, { index: 0, port: options.port, sockets });
  for (let from = 1; from < options.count; from += BATCH) {
    const indexes = Array.from(
      { length: Math.min(BATCH, options.count - from) },
      (_, at) => from + at,
    );
    await Promise.all(indexes.map((index) => open(options, { index, port: first, sockets })));
  }
  return first;
};

const open = (
  { addressOf, take }: FleetSocketsOptions,
  { index, port, sockets }: { index: number; port: number; sockets: Socket[] },
): Promise<number> =>
  new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    sockets.push(socket);
    socket.once('error', reject);
    socket.bind({ address: addressOf(index), port, exclusive: true }, () => {
      // A client that is gone makes the next answer to it fail; nobody waits for it.
      socket.off('error', reject).on('error', () => undefined);
      resolve(socket.address().port);
    });
    socket.on('message', (datagram, from) =>
      take(index, datagram, (answer) => {
        // A late answer of a fleet that was closed goes nowhere.
        if (sockets.length > 0) socket.send(answer, from.port, from.address);
      }),
    );
  });

const closeAll = async (sockets: Socket[]): Promise<void> => {
  const open = sockets.splice(0);
  await Promise.all(
    open.map(
      (socket) =>
        new Promise<void>((resolve) => {
          socket.once('close', () => resolve());
          socket.close();
        }),
    ),
  );
};
