/**
 * Where the controllers of a rack listen: each on a loopback address of its own with the protocols'
 * own ports, as in a real network. Where such ports are for root only they are higher, and where
 * there is but one loopback address the ports differ.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { resourceExhausted } from '../../services/runtime/errors.ts';

export type LabAddress = {
  readonly host: string;
  readonly redfishPort: number;
  readonly ipmiPort: number;
};

type PortPair = Pick<LabAddress, 'redfishPort' | 'ipmiPort'>;

/** Of HTTPS, and of RMCP (IANA asf-rmcp). */
const OWN_PORTS: PortPair = { redfishPort: 443, ipmiPort: 623 };
const HIGH_PORTS: PortPair = { redfishPort: 8443, ipmiPort: 6230 };
const NETS_TRIED = 64;
const PORTS_TRIED = 200;

/** Throws resource_exhausted LAB_NO_ADDRESS. */
export const chooseAddresses = async (
  names: readonly string[],
  {
    remembered,
    firstNet = 1,
  }: {
    readonly remembered: Readonly<Record<string, LabAddress>>;
    /** Third byte of 127.77.N.0; labs that run at once on one host need different ones. */
    readonly firstNet?: number;
  },
): Promise<Readonly<Record<string, LabAddress>>> => {
  const before = names.flatMap((name) => remembered[name] ?? []);
  if (before.length === names.length && (await areFree(before))) {
    return Object.fromEntries(names.map((name, index) => [name, at(before, index)]));
  }
  const chosen = (await chooseNet(names.length, firstNet)) ?? (await choosePorts(names.length));
  return Object.fromEntries(names.map((name, index) => [name, at(chosen, index)]));
};

const chooseNet = async (
  count: number,
  firstNet: number,
): Promise<readonly LabAddress[] | undefined> => {
  for (let step = 0; step < NETS_TRIED; step += 1) {
    const net = 1 + ((firstNet - 1 + step) % 254);
    for (const ports of [OWN_PORTS, HIGH_PORTS]) {
      const chosen = Array.from({ length: count }, (_, index) => ({
        host: `127.77.${net}.${index + 1}`,
        ...ports,
      }));
      const [first] = chosen;
      const state = first === undefined ? 'free' : await tcpState(first.host, first.redfishPort);
      if (state === 'no address') return undefined;
      if (state === 'free' && (await areFree(chosen))) return chosen;
    }
  }
  return undefined;
};

const choosePorts = async (count: number): Promise<readonly LabAddress[]> => {
  const chosen: LabAddress[] = [];
  for (let step = 0; step < PORTS_TRIED && chosen.length < count; step += 1) {
    const { redfishPort, ipmiPort } = HIGH_PORTS;
    const one = { host: '127.0.0.1', redfishPort: redfishPort + step, ipmiPort: ipmiPort + step };
    if (await areFree([one])) chosen.push(one);
  }
  if (chosen.length === count) return chosen;
  throw resourceExhausted(
    'LAB_NO_ADDRESS',
    `No ${count} free ports from ${HIGH_PORTS.redfishPort} and ${HIGH_PORTS.ipmiPort} on`,
  );
};

const areFree = async (addresses: readonly LabAddress[]): Promise<boolean> => {
  for (const { host, redfishPort, ipmiPort } of addresses) {
    if ((await tcpState(host, redfishPort)) !== 'free') return false;
    if (!(await isUdpFree(host, ipmiPort))) return false;
  }
  return true;
};

const tcpState = (host: string, port: number): Promise<'free' | 'taken' | 'no address'> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'EADDRNOTAVAIL' ? 'no address' : 'taken'),
    );
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve('free')));
  });

const isUdpFree = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });

const at = (addresses: readonly LabAddress[], index: number): LabAddress => {
  const found = addresses[index];
  if (found === undefined) throw new RangeError(`no address ${index}`);
  return found;
};
