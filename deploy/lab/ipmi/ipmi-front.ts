/** The controller's socket, and the faults of the wire. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Clock } from '../../../services/runtime/clock.ts';
import { faultyServer } from '../faulty-server.ts';
import type { LabFront, LabFrontOptions, LabFrontStarter } from '../front-port.ts';
import type { LabFaults } from '../server-port.ts';
import { type Controller, createController, type Reply } from './controller.ts';
import { type Personality, PLAIN } from './personality.ts';

/** Longer than a client waits before it sends again, shorter than it waits in all. */
const SLOW_MS = 1_200;
/** So long it is there, and so long it is gone. */
const FLAP_MS = 3_000;
/** What is received while an answer is late; more is dropped. */
const LATE_MAX = 256;
const HTML = Buffer.from('<html><head><title>502 Bad Gateway</title></head></html>\r\n');

export const startIpmiFront: LabFrontStarter = (options) => startIpmiFrontWith(options, PLAIN);

/** As a make of controller that is different. */
export const startIpmiFrontWith = async (
  options: LabFrontOptions,
  personality: Personality,
): Promise<LabFront> => {
  const { clock, random, faults, host, log } = options;
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
  socket.bind(options.port, host);
  // Rejects with the socket's error where the address is taken.
  await once(socket, 'listening');
  const { port } = socket.address();
  const controller = createController({
    ...{ clock, random, port, host, personality },
    server: faultyServer(options.server, faults),
    isBusy: () => faults.current() === '503',
  });
  const take = withWireFaults({ clock, faults, controller });
  let closed = false;
  socket.on('message', (datagram, from) =>
    take(datagram, (answer) => {
      if (!closed) socket.send(answer, from.port, from.address);
    }),
  );
  socket.on('error', (error) => log.warn({ err: error }, 'IPMI socket failed'));
  return {
    port,
    close: async () => {
      if (closed) return;
      controller.forget();
      closed = true;
      socket.close();
      await once(socket, 'close');
    },
  };
};

type WireDeps = {
  readonly clock: Clock;
  readonly faults: LabFaults;
  readonly controller: Controller;
};

export const withWireFaults = ({ clock, faults, controller }: WireDeps) => {
  let late = 0;
  let wasGone = false;
  const slowly = (reply: Reply) => (answer: Buffer) => {
    if (late >= LATE_MAX) return;
    late += 1;
    void clock.sleep(SLOW_MS).finally(() => {
      late -= 1;
      reply(answer);
    });
  };
  return (datagram: Buffer, reply: Reply): void => {
    switch (faults.current()) {
      case 'hang':
        return;
      case 'html':
        reply(HTML);
        return;
      case 'slow':
        controller.take(datagram, slowly(reply));
        return;
      case 'flap': {
        const isGone = Math.floor(clock.monotonicMs() / FLAP_MS) % 2 === 0;
        // It comes back from a restart, and knows nobody.
        if (wasGone && !isGone) controller.forget();
        wasGone = isGone;
        if (!isGone) controller.take(datagram, reply);
        return;
      }
      default:
        controller.take(datagram, reply);
    }
  };
};
