/**
 * Schedulers as processes of their own (services/main.ts run scheduler) on a real etcd, with
 * stand-ins for inventory and metadata in this process. What may befall a process can befall each.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Transport } from '@connectrpc/connect';
import { stringify } from 'yaml';
import type { Program } from '../../deploy/tools/program.ts';
import { PUBLIC_SERVICES } from '../../services/contract.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { createGrpcJsTransport } from '../../services/runtime/rpc/grpc-js-transport.ts';
import { mountGrpcJs } from '../../services/runtime/rpc/mount-grpc-js.ts';
import type { MutableTls } from '../../services/runtime/tls.ts';
import { register } from '../../services/store/coordination/membership.ts';
import type { Coordination, KeyValue } from '../../services/store/coordination/port.ts';
import { createNeighbours, type Neighbours } from '../rpc/scheduler-neighbours.ts';
import { type Authority, CLUSTER, createAuthority } from './certificates.ts';
import { startEtcd, type TestEtcd } from './etcd.ts';
import { eventually } from './eventually.ts';
import { forwardedService } from './forwarded-service.ts';
import { freePort } from './free-port.ts';
import { silentLog } from './silent-log.ts';
import { temporaryDir } from './temporary-dir.ts';

export type SchedulerProcess = {
  readonly address: string;
  /** As the service "machine" reaches it. */
  readonly transport: Transport;
  /** kill -9. */
  readonly kill: () => Promise<void>;
  readonly start: () => void;
  /** SIGSTOP. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  /** What it logged. */
  readonly logged: () => string;
};

export type SchedulerProcesses = AsyncDisposable & {
  readonly etcd: TestEtcd;
  readonly neighbours: Neighbours;
  readonly processes: readonly SchedulerProcess[];
  /** Throws while nobody leads. */
  readonly leader: () => Promise<SchedulerProcess>;
  /** All keys of the partition. */
  readonly keys: () => Promise<readonly KeyValue[]>;
};

const MAIN = join(import.meta.dirname, '../../services/main.ts');
const CALL_MS = 5_000;

export const startSchedulerProcesses = async (
  program: Program,
  count: number,
): Promise<SchedulerProcesses> => {
  await using parts = new AsyncDisposableStack();
  const dir = parts.use(temporaryDir({ inMemory: true })).path;
  const etcd = parts.use(await startEtcd(program));
  const authority = await createAuthority();
  const coordination = etcd.open();
  const neighbours = createNeighbours();
  parts.use(await serveNeighbours(authority, coordination, neighbours));
  const files = writeFiles(dir, { etcd, scheduler: await authority.service('scheduler') });
  const machine = await authority.service('machine');
  const processes: SchedulerProcess[] = [];
  for (let at = 1; at <= count; at += 1) {
    const port = await freePort();
    const name = `scheduler-${at}`;
    const logFile = join(dir, `${name}.log`);
    const config = writeConfig(dir, { name, port, logFile, etcd, files });
    const scheduler = parts.use(startProcess({ config, port, machine, logFile }));
    processes.push(scheduler);
  }
  const keyOfLeader = () => coordination.get('partitions/lab/leader', AbortSignal.timeout(CALL_MS));
  const leader = async (): Promise<SchedulerProcess> => {
    const address = Buffer.from((await keyOfLeader())?.value ?? []).toString();
    const found = processes.find((one) => one.address === address);
    if (found === undefined) throw new Error(`Nobody leads (${address})`);
    return found;
  };
  await eventually(leader, { limitMs: 60_000, message: 'a leader among the processes' });
  const owned = parts.move();
  return {
    etcd,
    neighbours,
    processes,
    leader,
    keys: () => allKeys(coordination),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};

/** Mounts the stand-ins and lets the schedulers find them. */
const serveNeighbours = async (
  authority: Authority,
  coordination: Coordination,
  neighbours: Neighbours,
): Promise<AsyncDisposable> => {
  const of = (area: string, transport: Transport) =>
    PUBLIC_SERVICES.filter(({ typeName }) => typeName.startsWith(`runmachine.${area}.`)).map(
      (service) => forwardedService(service, transport),
    );
  const mount = await mountGrpcJs({
    services: [...of('inventory', neighbours.inventory), ...of('identity', neighbours.identity)],
    tls: await authority.service('inventory'),
    listen: { host: '127.0.0.1', port: 0 },
    log: silentLog,
  });
  const ended = new AbortController();
  const deps = { coordination, clock: systemClock, random: systemRandom, log: silentLog };
  const registrations = ['inventory', 'metadata'].map((service) =>
    register(deps, {
      service,
      id: `${service}-1`,
      address: `127.0.0.1:${mount.port}`,
      leaseTtlMs: 30_000,
      signal: ended.signal,
    }),
  );
  return {
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await Promise.all(registrations);
      await mount.stop(AbortSignal.timeout(0));
    },
  };
};

type Files = Readonly<Record<string, string>>;

const writeFiles = (
  dir: string,
  { etcd, scheduler }: { readonly etcd: TestEtcd; readonly scheduler: MutableTls },
): Files => {
  const { ca, certificate, key } = scheduler.current();
  const texts = {
    'ca.crt': ca,
    'scheduler.crt': certificate,
    'scheduler.key': key,
    'etcd-ca.crt': etcd.tls.ca,
    'etcd.crt': etcd.tls.cert,
    'etcd.key': etcd.tls.key,
  };
  const written: Record<string, string> = {};
  for (const [name, text] of Object.entries(texts)) {
    written[name] = join(dir, name);
    writeFileSync(join(dir, name), text, { mode: 0o600 });
  }
  return written;
};

type ConfigOptions = {
  readonly name: string;
  readonly port: number;
  readonly logFile: string;
  readonly etcd: TestEtcd;
  readonly files: Files;
};

const writeConfig = (dir: string, { name, port, logFile, etcd, files }: ConfigOptions): string => {
  const urlFile = join(dir, `${name}.url`);
  writeFileSync(urlFile, `sqlite:${join(dir, `${name}.sqlite`)}\n`, { mode: 0o600 });
  const config = join(dir, `${name}.yaml`);
  writeFileSync(
    config,
    stringify({
      cluster: CLUSTER,
      mtls: {
        address: '127.0.0.1',
        port,
        ca_file: files['ca.crt'],
        certificate_file: files['scheduler.crt'],
        key_file: files['scheduler.key'],
      },
      sql: { url_file: urlFile },
      etcd: {
        endpoints: [etcd.endpoint],
        ca_file: files['etcd-ca.crt'],
        certificate_file: files['etcd.crt'],
        key_file: files['etcd.key'],
      },
      log: { file: logFile },
    }),
  );
  return config;
};

type ProcessOptions = {
  readonly config: string;
  readonly port: number;
  readonly machine: MutableTls;
  readonly logFile: string;
};

const startProcess = (options: ProcessOptions): SchedulerProcess & AsyncDisposable => {
  const address = `127.0.0.1:${options.port}`;
  const spawned = (): ChildProcess =>
    spawn(process.execPath, [MAIN, 'run', 'scheduler', '--config', options.config], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  let child = spawned();
  const transport = createGrpcJsTransport({ addresses: () => [address], tls: options.machine });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    address,
    transport,
    kill,
    start: () => {
      child = spawned();
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    logged: () => readFileSync(options.logFile, 'utf8'),
    [Symbol.asyncDispose]: async () => {
      transport.close();
      await kill();
    },
  };
};

const allKeys = async (store: Coordination): Promise<readonly KeyValue[]> => {
  const keys: KeyValue[] = [];
  let revision: bigint | undefined;
  for (let more = true; more; ) {
    const after = keys.at(-1)?.key;
    const range = {
      prefix: 'partitions/lab/',
      ...(after !== undefined && { after }),
      ...(revision !== undefined && { revision }),
    };
    const page = await store.range(range, AbortSignal.timeout(CALL_MS));
    keys.push(...page.keys);
    ({ more, revision } = page);
  }
  return keys;
};
