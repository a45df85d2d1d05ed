import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { SERVICE_NAMES, type ServiceName } from '../../services/contract.ts';
import { writeWhole } from '../start/state-dir.ts';

/** How many processes of each service; more of any work as well. */
export const REPLICAS: Readonly<Record<ServiceName, number>> = {
  metadata: 1,
  inventory: 1,
  scheduler: 2,
  machine: 2,
};

/** One process of one service, and the two ports on which it listens. */
export type Member = {
  /** "machine-2" */
  readonly name: string;
  readonly service: ServiceName;
  readonly peoplePort: number;
  readonly mtlsPort: number;
};

export type Plan = {
  readonly members: readonly Member[];
  /** Of HAProxy. */
  readonly peoplePort: number;
  readonly postgresPort: number;
  readonly etcdPort: number;
  readonly etcdPeerPort: number;
  readonly phoneHomePort: number;
};

const DEFAULTS: Readonly<Record<string, number>> = {
  people: 7443,
  'phone-home': 7445,
  postgres: 7432,
  etcd: 7379,
  'etcd-peer': 7380,
};
const FIRST_MEMBER_PORT = 7501;

/**
 * Ports of the last time or the usual ones, and others where these are taken. `usual` false takes
 * any free ones, for tests.
 */
export const makePlan = async (
  file: string,
  { usual }: { readonly usual: boolean },
): Promise<Plan> => {
  const remembered = readPorts(file);
  const ports: Record<string, number> = {};
  const choose = async (name: string, wanted: number): Promise<number> => {
    const taken = new Set(Object.values(ports));
    const port = await freePort(remembered[name] ?? (usual ? wanted : 0), taken);
    ports[name] = port;
    return port;
  };
  const wellKnown = (name: string) => choose(name, DEFAULTS[name] ?? 0);
  const members: Member[] = [];
  for (const service of SERVICE_NAMES) {
    for (let at = 1; at <= REPLICAS[service]; at += 1) {
      const name = `${service}-${at}`;
      const first = FIRST_MEMBER_PORT + members.length * 2;
      const peoplePort = await choose(`${name} people`, first);
      members.push({ name, service, peoplePort, mtlsPort: await choose(name, first + 1) });
    }
  }
  const plan = {
    members,
    peoplePort: await wellKnown('people'),
    postgresPort: await wellKnown('postgres'),
    etcdPort: await wellKnown('etcd'),
    etcdPeerPort: await wellKnown('etcd-peer'),
    phoneHomePort: await wellKnown('phone-home'),
  };
  writeWhole(file, `${JSON.stringify(ports, null, 2)}\n`);
  return plan;
};

const readPorts = (file: string): Readonly<Record<string, number>> =>
  existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};

/** Those that the system gives to whoever asks for any would be gone before a process listens. */
const ANY = { first: 10_000, beyond: 20_000 };

/** Throws where all of ANY are taken. */
const freePort = async (wanted: number, taken: ReadonlySet<number>): Promise<number> => {
  const { first, beyond } = ANY;
  const count = beyond - first;
  const from = randomInt(count);
  const others = Array.from({ length: count }, (_, step) => first + ((from + step) % count));
  for (const port of wanted === 0 ? others : [wanted, ...others]) {
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`Cannot choose a port: all of 127.0.0.1:${first} to ${beyond - 1} are taken`);
};

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
