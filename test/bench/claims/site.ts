/**
 * All processes of a claims bench: etcd (or the embedded coordinator), what stands in for inventory
 * and metadata, one or two schedulers, claimers. Each is a process of its own on loopback.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { MEMORY_ENVIRONMENT } from '../../../deploy/memory-environment.ts';
import { findProgram, type Program } from '../../../deploy/tools/program.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import type { Pem } from '../../../services/runtime/tls.ts';
import { leaderKey } from '../../../services/scheduler/domain/keys.ts';
import { openEmbeddedCoordination } from '../../../services/store/coordination/embedded/open.ts';
import type { Coordination, Write } from '../../../services/store/coordination/port.ts';
import { prepare } from '../../runner/prepare.ts';
import { type Authority, CLUSTER, createAuthority } from '../../support/certificates.ts';
import { startEtcd } from '../../support/etcd.ts';
import { freePort } from '../../support/free-port.ts';
import { silentLog } from '../../support/silent-log.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';
import { testToolsDir } from '../../tools-dir.ts';
import { type BenchOptions, CannotMeasure } from '../bench.ts';
import { type Child, startChild } from '../child.ts';
import { type FleetOptions, PARTITION } from '../fleet/fleet.ts';
import { writeRecords } from '../fleet/write-records.ts';
import type { CoordinationPlace, Memory, SchedulerStart } from '../subjects/scheduler-server.ts';

export type Scheduler = AsyncDisposable & {
  readonly child: Child;
  /** host:port of its mTLS listener. */
  readonly address: string;
  readonly memory: () => Promise<Memory>;
  /** kill -9. */
  readonly kill: () => void;
};

export type Site = AsyncDisposable & {
  readonly fleet: FleetOptions;
  /** Certificate of the claimers. */
  readonly callerPem: Pem;
  /** Errors: the embedded one is the scheduler's once that runs. */
  readonly coordination: () => Coordination;
  /** Puts records before the first scheduler starts; answers how many. */
  readonly write: (writes: Iterable<Write>) => Promise<number>;
  readonly startScheduler: () => Promise<Scheduler>;
  /** CPU time that etcd has used, in microseconds; 0 without etcd. */
  readonly storeCpuUs: () => number;
  /** The same of what stands in for inventory and metadata. */
  readonly neighboursCpuUs: () => Promise<number>;
  /** Address of who leads; waits until somebody does. */
  readonly leader: (signal: AbortSignal) => Promise<string>;
};

export type SiteOptions = {
  readonly fleet: FleetOptions;
  readonly store: 'etcd' | 'embedded';
  readonly bench: BenchOptions;
};

const START_LIMIT_MS = 300_000;

export const startSite = async ({ fleet, store, bench }: SiteOptions): Promise<Site> => {
  await using cleanup = new AsyncDisposableStack();
  const dir = cleanup.use(temporaryDir());
  const authority = await createAuthority();
  const opened = await openStore({ store, dir: dir.path, bench, cleanup });
  const neighbours = cleanup.use(startChild('subjects/neighbours-server.ts'));
  const start = {
    pem: await servicePem(authority, ['inventory', 'metadata']),
    logFile: `${dir.path}/neighbours.log`,
    fleet,
  };
  const port = await neighbours.ask<number>('start', start, START_LIMIT_MS);
  let replicas = 0;
  const startScheduler = async (): Promise<Scheduler> => {
    replicas += 1;
    await opened.handOver();
    const start: SchedulerStart = {
      id: `scheduler-${replicas}`,
      pem: await servicePem(authority, ['scheduler']),
      port: await freePort(),
      neighbours: `127.0.0.1:${port}`,
      coordination: opened.place,
      dir: `${dir.path}/scheduler-${replicas}`,
    };
    mkdirSync(start.dir);
    const child = startChild('subjects/scheduler-server.ts', MEMORY_ENVIRONMENT);
    cleanupLater.use(child);
    await child.ask('start', start, START_LIMIT_MS);
    return {
      child,
      address: `127.0.0.1:${start.port}`,
      memory: () => child.ask<Memory>('memory'),
      kill: () => void process.kill(child.pid, 'SIGKILL'),
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  };
  const callerPem = await servicePem(authority, ['machine']);
  const cleanupLater = cleanup.move();
  return {
    fleet,
    callerPem,
    coordination: opened.coordination,
    write: (writes) => writeRecords(opened.coordination(), writes),
    startScheduler,
    storeCpuUs: () => opened.cpuUs(),
    neighboursCpuUs: () => neighbours.ask<number>('cpuUs'),
    leader: (signal) => untilLed(opened.coordination(), signal),
    [Symbol.asyncDispose]: () => cleanupLater.disposeAsync(),
  };
};

const servicePem = (authority: Authority, services: readonly string[]): Promise<Pem> =>
  authority.issue(services.map((name) => `spiffe://${CLUSTER}/service/${name}`));

type Opened = {
  readonly place: CoordinationPlace;
  /** Ours, to write with. Errors: the embedded one is the scheduler's once that runs. */
  readonly coordination: () => Coordination;
  readonly handOver: () => Promise<void>;
  readonly cpuUs: () => number;
};

type Opening = {
  readonly store: SiteOptions['store'];
  readonly dir: string;
  readonly bench: BenchOptions;
  readonly cleanup: AsyncDisposableStack;
};

const openStore = async ({ store, dir, bench, cleanup }: Opening): Promise<Opened> => {
  if (store === 'embedded') {
    const file = `${dir}/coordination.sqlite`;
    const deps = { clock: systemClock, random: systemRandom, log: silentLog };
    let open: Coordination | undefined = openEmbeddedCoordination({ file, ...deps });
    cleanup.defer(() => open?.close());
    return {
      place: { kind: 'embedded', file },
      coordination: () => {
        if (open === undefined) throw new Error('The scheduler has the embedded coordinator');
        return open;
      },
      handOver: async () => {
        await open?.close();
        open = undefined;
      },
      cpuUs: () => 0,
    };
  }
  const etcd = cleanup.use(await startEtcd(await etcdProgram(bench), { onDisk: true }));
  const coordination = etcd.open({ callTimeoutMs: 20_000 });
  const { ca, cert, key } = etcd.tls;
  const pem = { ca: ca.toString(), certificate: cert.toString(), key: key.toString() };
  return {
    place: { kind: 'etcd', endpoint: etcd.endpoint, pem },
    coordination: () => coordination,
    handOver: async () => undefined,
    cpuUs: () => cpuUsOf(etcd.pid()),
  };
};

const US_PER_TICK = 10_000;

/** What a process has used so far, by /proc. */
const cpuUsOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
};

/** Fetched as the tests fetch it. */
const etcdProgram = async ({ note }: BenchOptions): Promise<Program> => {
  const toolsDir = testToolsDir();
  const found = findProgram('etcd', toolsDir);
  if (found !== undefined) return found;
  await prepare(['etcd'], { toolsDir, clock: systemClock, print: note });
  const fetched = findProgram('etcd', toolsDir);
  if (fetched === undefined) throw new CannotMeasure('etcd could not be had');
  return fetched;
};

const untilLed = async (coordination: Coordination, signal: AbortSignal): Promise<string> => {
  for (;;) {
    const found = await coordination.get(leaderKey(PARTITION), signal);
    if (found !== undefined) return Buffer.from(found.value).toString();
    await systemClock.sleep(20, signal);
  }
};
