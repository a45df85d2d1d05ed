import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../../deploy/tools/program.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { Pem } from '../../services/runtime/tls.ts';
import type { Tls } from '../../services/store/coordination/etcd/channel.ts';
import {
  type EtcdOptions,
  openEtcdCoordination,
} from '../../services/store/coordination/etcd/open.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { createAuthority } from './certificates.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { silentLog } from './silent-log.ts';
import { temporaryDir } from './temporary-dir.ts';

/** A real etcd of one member on a loopback port, which asks for client certificates. */
export type TestEtcd = {
  readonly port: number;
  /** `https://127.0.0.1:<port>` */
  readonly endpoint: string;
  /** A client certificate that it accepts. */
  readonly tls: Tls;
  /** Of the process that runs now; 0 = it does not. */
  readonly pid: () => number;
  /** A client of it; closed with it. */
  readonly open: (options?: Partial<EtcdOptions>) => Coordination;
  /** kill -9. */
  readonly kill: () => Promise<void>;
  /** Starts it again on the same port and data; the options are for who waits for it. */
  readonly restart: (options?: Partial<EtcdOptions>) => Promise<void>;
  /** SIGSTOP: its sockets stay open, nothing answers. Resolves when it stands still. */
  readonly freeze: () => Promise<void>;
  readonly thaw: () => void;
} & AsyncDisposable;

const START_LIMIT_MS = 60_000;
const CALL_TIMEOUT_MS = 30_000;

/**
 * `program` is what `needs('etcd').program('etcd')` gives. `onDisk`: every commit waits for a real
 * disk, as in production; else for a memory disk where there is one.
 */
export const startEtcd = async (
  program: Program,
  { onDisk = false }: { readonly onDisk?: boolean } = {},
): Promise<TestEtcd> => {
  await using cleanup = new AsyncDisposableStack();
  const dir = cleanup.use(temporaryDir({ inMemory: !onDisk }));
  const authority = await createAuthority();
  const issue = async (name: string) => toTls(await authority.issue([`spiffe://test/${name}`]));
  const tls = await issue('client');
  writeIdentity(dir.path, await issue('etcd'));
  const [port, peerPort] = [await freePort(), await freePort()];
  const endpoint = `https://127.0.0.1:${port}`;

  const run = () => spawnEtcd(program, { dir: dir.path, endpoint, peerPort });
  let child = run();
  cleanup.defer(() => endChild(child));
  const clients: Coordination[] = [];
  cleanup.defer(async () => {
    for (const client of clients) await client.close();
  });
  const open = (options: Partial<EtcdOptions> = {}): Coordination => {
    const client = openEtcdCoordination({
      endpoints: [endpoint],
      tls,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      callTimeoutMs: CALL_TIMEOUT_MS,
      ...options,
    });
    clients.push(client);
    return client;
  };
  await untilAnswering(open, child);

  const owned = cleanup.move();
  return {
    port,
    endpoint,
    tls,
    pid: () => child.pid ?? 0,
    open,
    kill: () => endChild(child),
    restart: async (options) => {
      child = run();
      await untilAnswering(() => open(options), child);
    },
    freeze: () => freeze(child),
    thaw: () => void child.kill('SIGCONT'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

/** PEM texts as the etcd client takes them. */
export const toTls = ({ ca, certificate, key }: Pem): Tls => ({
  ca: Buffer.from(ca),
  cert: Buffer.from(certificate),
  key: Buffer.from(key),
});

const writeIdentity = (dir: string, { ca, cert, key }: Tls): void => {
  writeFileSync(join(dir, 'ca.pem'), ca);
  writeFileSync(join(dir, 'cert.pem'), cert);
  writeFileSync(join(dir, 'key.pem'), key, { mode: 0o600 });
};

type Place = { readonly dir: string; readonly endpoint: string; readonly peerPort: number };

const spawnEtcd = (program: Program, { dir, endpoint, peerPort }: Place): ChildProcess => {
  const peer = `http://127.0.0.1:${peerPort}`;
  const flags = [
    `--name=test`,
    `--data-dir=${join(dir, 'data')}`,
    `--listen-client-urls=${endpoint}`,
    `--advertise-client-urls=${endpoint}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=test=${peer}`,
    `--trusted-ca-file=${join(dir, 'ca.pem')}`,
    `--cert-file=${join(dir, 'cert.pem')}`,
    `--key-file=${join(dir, 'key.pem')}`,
    '--client-cert-auth',
    // A short election keeps restarts quick and allows leases of one second.
    '--heartbeat-interval=20',
    '--election-timeout=200',
    '--logger=zap',
    '--log-level=error',
  ];
  const child = spawn(program.path, [...program.args, ...flags], {
    // Otherwise ETCD_… of whoever runs the tests would override the flags.
    env: { PATH: process.env.PATH, ...program.env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return child;
};

const endChild = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
};

const freeze = async (child: ChildProcess): Promise<void> => {
  child.kill('SIGSTOP');
  const tasks = `/proc/${child.pid}/task`;
  // The signal is delivered thread by thread; on a busy machine that takes a while.
  const isStopped = (task: string) =>
    /^\d+ \(.*\) T/.test(readFileSync(join(tasks, task, 'stat'), 'utf8'));
  if (!existsSync(tasks)) return;
  await eventually(() => readdirSync(tasks).every(isStopped), { message: 'the freeze of etcd' });
};

const untilAnswering = async (open: TestEtcd['open'], child: ChildProcess): Promise<void> => {
  // Its own client: back-off after a refused connection must not slow the test's clients down.
  const client = open();
  await eventually(
    async () => {
      if (child.exitCode !== null) throw new Error(`etcd ended with code ${child.exitCode}`);
      await client.ping(AbortSignal.timeout(5_000));
      return true;
    },
    { limitMs: START_LIMIT_MS, message: 'an answer of etcd' },
  );
  await client.close();
};
