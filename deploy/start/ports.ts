import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { StartRefused } from './options.ts';

export type PortPurpose = 'people' | 'mtls' | 'boot';

export const DEFAULT_PORTS: Readonly<Record<PortPurpose, number>> = {
  people: 7443,
  mtls: 7444,
  boot: 7445,
};

const STEPS_MAX = 50;
const STEP = 10;

/**
 * The port for one purpose. One that was asked for and is taken is an error that names the holder;
 * a default that is taken moves on in steps of ten, so that the three stay recognisable, and says
 * so.
 */
export const choosePort = async (
  purpose: PortPurpose,
  {
    address,
    asked,
    remembered,
    log,
  }: {
    address: string;
    asked: number | undefined;
    remembered: number | undefined;
    log: (line: string) => void;
  },
): Promise<number> => {
  if (asked !== undefined) {
    if (await isFree(address, asked)) return asked;
    throw new StartRefused(
      `port ${asked} (${purpose}) is taken${holderText(asked)}`,
      `end that program, or give another port with --${purpose}-port`,
    );
  }
  const first = remembered ?? DEFAULT_PORTS[purpose];
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const candidate = first + step * STEP;
    if (!(await isFree(address, candidate))) continue;
    if (step > 0)
      log(`port ${first} is taken${holderText(first)}; using ${candidate} for ${purpose}`);
    return candidate;
  }
  throw new StartRefused(
    `no free port for ${purpose} from ${first} on`,
    `give one with --${purpose}-port`,
  );
};

const isFree = (address: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });

const holderText = (port: number): string => {
  const holder = holderOf(port);
  return holder === undefined ? '' : ` by ${holder.name} (process ${holder.pid})`;
};

/**
 * Who listens on a port, from /proc; undefined where that cannot be told (another user, another
 * system).
 */
export const holderOf = (port: number): { pid: number; name: string } | undefined => {
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => inodesOf(file, port)),
  );
  if (inodes.size === 0) return undefined;
  for (const pid of read(() => readdirSync('/proc'), [])) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of read(() => readdirSync(`/proc/${pid}/fd`), [])) {
      const target = read(() => readlinkSync(`/proc/${pid}/fd/${fd}`), '');
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      const name = read(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), 'a program');
      return { pid: Number(pid), name };
    }
  }
  return undefined;
};

const inodesOf = (file: string, port: number): string[] => {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return read(() => readFileSync(file, 'utf8'), '')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`) && fields[3] === '0A')
    .map((fields) => fields[9] ?? '');
};

const read = <T>(get: () => T, otherwise: T): T => {
  try {
    return get();
  } catch {
    return otherwise;
  }
};
