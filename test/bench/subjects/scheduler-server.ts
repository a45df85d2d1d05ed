/**
 * The scheduler as a production process has it: the assembly of services/ around the one service,
 * coordination in etcd or embedded, everything else found by its members' keys. Those of inventory
 * and metadata lead to what stands in for them.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { createAssembly } from '../../../services/assemble.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { createLog, type Logger } from '../../../services/runtime/log.ts';
import { openLogFile } from '../../../services/runtime/log-file.ts';
import { startComponents } from '../../../services/runtime/process.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import { type Pem, tlsMaterial } from '../../../services/runtime/tls.ts';
import { createSchedulerService } from '../../../services/scheduler/main.ts';
import { openCoordinationThread } from '../../../services/store/coordination/embedded/open-thread.ts';
import { openEtcdCoordination } from '../../../services/store/coordination/etcd/open.ts';
import { register } from '../../../services/store/coordination/membership.ts';
import type { Coordination } from '../../../services/store/coordination/port.ts';
import { CLUSTER } from '../../support/certificates.ts';
import { toTls } from '../../support/etcd.ts';
import { serveParent } from '../serve-parent.ts';

export type CoordinationPlace =
  | { readonly kind: 'etcd'; readonly endpoint: string; readonly pem: Pem }
  | { readonly kind: 'embedded'; readonly file: string };

export type SchedulerStart = {
  /** Unique among the replicas. */
  readonly id: string;
  readonly pem: Pem;
  readonly port: number;
  /** host:port of what stands in for inventory and metadata. */
  readonly neighbours: string;
  readonly coordination: CoordinationPlace;
  /** Of its own, for SQL and the log. */
  readonly dir: string;
};

const MEMBER_TTL_MS = 10_000;
const HOST = '127.0.0.1';

const start = async (options: SchedulerStart): Promise<void> => {
  const { id, pem, port, dir } = options;
  const destination = openLogFile({ file: `${dir}/scheduler.log` });
  const log = createLog({ name: 'scheduler', level: 'info', destination });
  const coordination = await open(options.coordination, log);
  const ended = new AbortController();
  for (const service of ['inventory', 'metadata']) {
    const member = { service, id, address: options.neighbours, leaseTtlMs: MEMBER_TTL_MS };
    register({ coordination, clock, random, log }, { ...member, signal: ended.signal });
  }
  const assembly = createAssembly({
    clock,
    random,
    log,
    coordination,
    cluster: CLUSTER,
    services: ['scheduler'],
    replica: { id, address: `${HOST}:${port}` },
    sqlUrl: () => `sqlite:${dir}/scheduler.sqlite`,
    people: undefined,
    mtls: { listen: { host: HOST, port }, tls: tlsMaterial(pem) },
    origins: [],
    noticeMs: 0,
    version: 'bench',
  });
  assembly.add('scheduler', await createSchedulerService(assembly.depsOf('scheduler', {})));
  await startComponents({ log, clock }, assembly.components());
};

const open = async (place: CoordinationPlace, log: Logger): Promise<Coordination> =>
  place.kind === 'embedded'
    ? openCoordinationThread({ file: place.file, clock, random, log })
    : openEtcdCoordination({
        endpoints: [place.endpoint],
        tls: toTls(place.pem),
        clock,
        random,
        log,
        callTimeoutMs: 5_000,
      });

export type Memory = { readonly rssBytes: number; readonly mostBytes: number };

/** Now, and the most that it ever was. */
const memory = (): Memory => {
  const status = readFileSync('/proc/self/status', 'utf8');
  const of = (key: string) =>
    Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN) * 1024;
  return { rssBytes: of('VmRSS'), mostBytes: of('VmHWM') };
};

/** What is left of the heap when all garbage is gone. */
const liveHeapBytes = async (): Promise<number> => {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.collectGarbage');
  session.disconnect();
  return process.memoryUsage().heapUsed;
};

let profiling: Session | undefined;

const beginProfile = async (): Promise<void> => {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 500 });
  await session.post('Profiler.start');
  profiling = session;
};

const endProfile = async ({ file }: { readonly file: string }): Promise<void> => {
  const { profile } = (await profiling?.post('Profiler.stop')) ?? {};
  profiling?.disconnect();
  profiling = undefined;
  writeFileSync(file, JSON.stringify(profile));
};

serveParent({ start, memory, liveHeapBytes, beginProfile, endProfile });
