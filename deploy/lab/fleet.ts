/**
 * Thousands of controllers in one process, for benches and for trying how a site behaves. Each has
 * a loopback address of its own; a controller is made when it is first asked something.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../services/runtime/clock.ts';
import { failedPrecondition } from '../../services/runtime/errors.ts';
import type { Random } from '../../services/runtime/random.ts';
import type { LabCredentials } from './credentials.ts';
import { createFleetBmc, type FleetBmc } from './fleet-bmc.ts';
import { openFleetSockets } from './fleet-sockets.ts';
import { seededFraction } from './seeded-fraction.ts';
import type { LabFault } from './server-port.ts';

export type FleetOptions = {
  /** At most 1 000 000. */
  readonly count: number;
  /** Of every answer. */
  readonly latencyMs: number;
  /** Up to so much more, by chance. */
  readonly jitterMs: number;
  readonly seed: number;
  /** Share of the fleet from 0 to 1 that has a fault, together at most 1. */
  readonly faults: ReadonlyMap<LabFault, number>;
  /** 0: any that is free. */
  readonly redfishPort: number;
  /** The same for all; 0: any that is free on all of them, undefined: they speak no IPMI. */
  readonly ipmiPort: number | undefined;
  readonly credentials: LabCredentials;
};

export type Fleet = {
  readonly count: number;
  /** "http://127.x.y.z:port" of the controller with that number, from 0. */
  readonly redfishOf: (index: number) => string;
  /** "127.x.y.z:port", UDP; undefined where the fleet speaks no IPMI. */
  readonly ipmiOf: (index: number) => string | undefined;
  readonly faultOf: (index: number) => LabFault | undefined;
  /** The controller itself; made when it was not yet. */
  readonly bmcOf: (index: number) => FleetBmc;
  /** How many were asked something. */
  readonly awake: () => number;
  readonly requests: () => number;
  readonly close: () => Promise<void>;
};

export type FleetDeps = { readonly clock: Clock; readonly random: Random };

const COUNT_MAX = 1_000_000;
/** 127.100.0.1 is the first. */
const FIRST_BYTE = 100;
const BACKLOG = 4_096;

/** Throws failed_precondition FLEET_ADDRESS where addresses of its own cannot be had. */
export const startFleet = async (options: FleetOptions, deps: FleetDeps): Promise<Fleet> => {
  const { count } = options;
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX) {
    throw failedPrecondition('FLEET_ADDRESS', `A fleet has 1 to ${COUNT_MAX} controllers`);
  }
  await using parts = new AsyncDisposableStack();
  const made = new Map<number, FleetBmc>();
  parts.defer(async () => {
    await Promise.all([...made.values()].map((bmc) => bmc.close()));
  });
  const faultOf = faultsOf(options);
  let ipmiPort = options.ipmiPort ?? 0;
  const bmcOf = (index: number): FleetBmc => {
    const known = made.get(index);
    if (known !== undefined) return known;
    const { credentials } = options;
    const fault = faultOf(index);
    const bmc = createFleetBmc({ name: `bmc${index}`, credentials, fault, ipmiPort, ...deps });
    made.set(index, bmc);
    return bmc;
  };
  const delays = createDelays(options, deps.clock);
  const redfishPort = await listenHttp({ ...options, parts }, (index, incoming, outgoing) =>
    delays.next().then(() => bmcOf(index).redfish(incoming, outgoing)),
  );
  if (options.ipmiPort !== undefined) {
    const ipmi = await openFleetSockets({
      ...{ count, port: options.ipmiPort, addressOf },
      take: (index, datagram, reply) =>
        void delays.next().then(() => bmcOf(index).ipmi(datagram, reply)),
    });
    parts.defer(() => ipmi.close());
    ipmiPort = ipmi.port;
  }
  const open = parts.move();
  return {
    ...{ count, faultOf, bmcOf, requests: delays.count },
    redfishOf: (index) => `http://${addressOf(index)}:${redfishPort}`,
    ipmiOf: (index) =>
      options.ipmiPort === undefined ? undefined : `${addressOf(index)}:${ipmiPort}`,
    awake: () => made.size,
    close: () => open.disposeAsync(),
  };
};

/** Lets time pass before an answer, and counts the answers. */
const createDelays = ({ latencyMs, jitterMs, seed }: FleetOptions, clock: Clock) => {
  let count = 0;
  return {
    count: () => count,
    next: (): Promise<void> => {
      count += 1;
      const ms = latencyMs + jitterMs * seededFraction(seed, count);
      return ms > 0 ? clock.sleep(ms) : Promise.resolve();
    },
  };
};

export const addressOf = (index: number): string => {
  const place = index + 1;
  return `127.${FIRST_BYTE + (place >> 16)}.${(place >> 8) & 255}.${place & 255}`;
};

/** Which controller a connection was made to; undefined: none of ours, or not from this host. */
const indexOf = ({ localAddress, remoteAddress }: Socket, count: number): number | undefined => {
  if (localAddress === undefined || remoteAddress?.startsWith('127.') !== true) return undefined;
  const [first, a = 0, b = 0, c = 0] = localAddress.split('.').map(Number);
  const index = ((a - FIRST_BYTE) << 16) + (b << 8) + c - 1;
  return first === 127 && index >= 0 && index < count ? index : undefined;
};

type Answering = (
  index: number,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
) => Promise<void>;

/**
 * One listener for all addresses, since ten thousand would take half of the files that a process
 * may open; what does not come from this host to one of ours is cut off.
 */
const listenHttp = async (
  of: Pick<FleetOptions, 'count' | 'redfishPort'> & { readonly parts: AsyncDisposableStack },
  answer: Answering,
): Promise<number> => {
  const server = createServer();
  server.on('connection', (socket: Socket) => {
    if (indexOf(socket, of.count) === undefined) socket.destroy();
  });
  server.on('request', (incoming, outgoing) => {
    const index = indexOf(incoming.socket, of.count);
    if (index === undefined) incoming.socket.destroy();
    else answer(index, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen({ host: '0.0.0.0', port: of.redfishPort, backlog: BACKLOG });
  await once(server, 'listening');
  of.parts.defer(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : of.redfishPort;
};

const faultsOf =
  ({ faults, seed }: FleetOptions) =>
  (index: number): LabFault | undefined => {
    // Another seed than the jitter's, so that the two are not alike.
    let left = seededFraction(seed ^ 0x5bd1e995, index);
    for (const [fault, share] of faults) {
      if (left < share) return fault;
      left -= share;
    }
    return undefined;
  };
