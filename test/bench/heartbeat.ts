import { readFileSync } from 'node:fs';
import { createClient } from '@connectrpc/connect';
import { MEMORY_ENVIRONMENT } from '../../deploy/memory-environment.ts';
import { AgentDirectoryService } from '../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { AgentState } from '../../gen/runmachine/agent/v1/agent_pb.ts';
import { createGrpcJsTransport } from '../../services/runtime/rpc/grpc-js-transport.ts';
import { tlsMaterial } from '../../services/runtime/tls.ts';
import { CLUSTER } from '../support/certificates.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { type Bench, type BenchOptions, CannotMeasure, type Measured } from './bench.ts';
import { type Child, startChild } from './child.ts';
import { median } from './median.ts';
import { SERVER } from './rpc-message.ts';
import type { Issued, LoadStats } from './subjects/heartbeat-load.ts';

const AGENTS = 10_000;
const AGENTS_QUICK = 1_000;
const RAMP_PER_SECOND = 200;
/** The bare server beside it holds a fifth: cost grows in proportion, and the machine is small. */
const LIMIT_SHARE = 0.2;
const SILENT = 20;
const SILENT_LIMIT_MS = 40_000;

export const heartbeat: Bench = {
  summary: `${AGENTS} agents' sessions on one machine process, a heartbeat each 10 s`,
  limitMs: 900_000,
  run: async (options) => {
    const wanted = options.quick ? AGENTS_QUICK : AGENTS;
    const count = Math.min(wanted, roomForAgents());
    if (count < wanted) options.note(`only ${count} agents: raise \`ulimit -n\` to 25000`);
    if (count < 100) throw new CannotMeasure('the limit of open files is too low');
    using dir = temporaryDir();
    await using load = startChild('subjects/heartbeat-load.ts');
    await using subject = startChild('subjects/machine-server.ts', MEMORY_ENVIRONMENT);
    await using bare = startChild('limits/grpc-sessions.ts');
    options.note(`making ${count} certificates`);
    const issued = await load.ask<Issued>('issue', { count }, 120_000);
    const { pem, uids } = issued;
    const port = await subject.ask<number>('start', { pem, uids, dir: dir.path });
    const barePort = await bare.ask<number>('start', { pem });
    const parts = { load, subject, bare, port, barePort, count, issued };
    return await measure(parts, options);
  },
};

/** Both the load and the server hold a file for each connection. */
const roomForAgents = (): number => {
  const open = /Max open files\s+\S+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return Math.floor((Number(open ?? 4_096) - 500) / (1 + LIMIT_SHARE));
};

type Parts = {
  readonly load: Child;
  readonly subject: Child;
  readonly bare: Child;
  readonly port: number;
  readonly barePort: number;
  readonly count: number;
  readonly issued: Issued;
};

const measure = async (parts: Parts, options: BenchOptions): Promise<readonly Measured[]> => {
  const { load, subject, bare, count } = parts;
  const bareCount = Math.round(count * LIMIT_SHARE);
  const rss = (child: Child) => child.ask<number>('rssBytes');
  const [before, bareBefore] = [await rss(subject), await rss(bare)];
  options.note(`connecting at ${RAMP_PER_SECOND} a second`);
  await ramp(load, { group: 'bare', port: parts.barePort, count: bareCount });
  await ramp(load, { group: 'ours', port: parts.port, count });
  const written = await subject.ask<number>('writes');
  if (written < count) throw new Error(`coming up wrote ${written} times: not all is counted`);
  // What was left of the handshakes is being collected, and V8 compiles what is hot: the figures
  // are those of a process that runs for days.
  await pause(options.quick ? 12_000 : 60_000, options);
  const windows = options.quick ? 2 : 5;
  const seen = { ours: [] as Window[], bare: [] as Window[] };
  for (let at = 0; at < windows; at += 1) {
    const [ours, theirs] = await Promise.all([
      watch({ load, server: subject, group: 'ours', baseBytes: before }, options),
      watch({ load, server: bare, group: 'bare', baseBytes: bareBefore }, options),
    ]);
    seen.ours.push(ours);
    seen.bare.push(theirs);
    options.note(`ours: ${describe(ours, count)}; bare: ${describe(theirs, bareCount)}`);
  }
  const middle = (of: readonly Window[], figure: keyof Window) => median(of.map((w) => w[figure]));
  const compared = { samples: windows, limitCommand: 'npm run bench -- heartbeat' };
  return [
    {
      figure: 'cpu_core_share',
      unit: 'cores',
      value: middle(seen.ours, 'cores') * (AGENTS / count),
      limit: middle(seen.bare, 'cores') * (AGENTS / bareCount),
      ...compared,
    },
    {
      figure: 'bytes_per_agent',
      unit: 'B',
      value: middle(seen.ours, 'bytes') / count,
      limit: middle(seen.bare, 'bytes') / bareCount,
      ...compared,
    },
    {
      figure: 'writes_per_heartbeat',
      unit: '',
      value: middle(seen.ours, 'writes') / middle(seen.ours, 'beats'),
      samples: windows,
    },
    await silentNoticed(parts, options),
  ];
};

const ramp = async (
  load: Child,
  group: { readonly group: string; readonly port: number; readonly count: number },
): Promise<void> => {
  const limitMs = (group.count * 10_000) / RAMP_PER_SECOND + 30_000;
  await load.ask('connect', { ...group, perSecond: RAMP_PER_SECOND }, limitMs);
};

type Window = {
  readonly cores: number;
  readonly bytes: number;
  readonly beats: number;
  readonly writes: number;
};
type Watched = {
  readonly load: Child;
  readonly server: Child;
  readonly group: string;
  readonly baseBytes: number;
};

const watch = async (watched: Watched, options: BenchOptions): Promise<Window> => {
  const { load, server, group, baseBytes } = watched;
  const look = async () => ({
    atMs: performance.now(),
    cpuUs: await server.ask<number>('cpuUs'),
    writes: group === 'ours' ? await server.ask<number>('writes') : 0,
    load: await load.ask<LoadStats>('stats', { group }),
  });
  const from = await look();
  await pause(10_000, options);
  const to = await look();
  if (to.load.lost > 0) throw new Error(`${to.load.lost} sessions of ${group} were lost`);
  return {
    cores: (to.cpuUs - from.cpuUs) / 1000 / (to.atMs - from.atMs),
    bytes: (await server.ask<number>('rssBytes')) - baseBytes,
    beats: to.load.beats - from.load.beats,
    writes: to.writes - from.writes,
  };
};

const describe = ({ cores, bytes, beats, writes }: Window, count: number): string =>
  `${count} agents, ${beats} beats, ${cores.toFixed(3)} cores, ` +
  `${Math.round(bytes / count / 1024)} KiB an agent, ${writes} writes`;

/**
 * Some stop to beat and keep their connections: seconds until the directory shows the last one
 * down.
 */
const silentNoticed = async (parts: Parts, options: BenchOptions): Promise<Measured> => {
  const { issued, port, load } = parts;
  const transport = createGrpcJsTransport({
    addresses: () => [`127.0.0.1:${port}`],
    tls: tlsMaterial(issued.callerPem),
    serverId: `spiffe://${CLUSTER}/service/${SERVER}`,
  });
  const directory = createClient(AgentDirectoryService, transport);
  const silent = { group: 'ours', count: SILENT };
  const heardMs = await load.ask<number[]>('silence', silent);
  const noticedMs = new Map<number, number>();
  const endMs = performance.now() + SILENT_LIMIT_MS;
  while (noticedMs.size < SILENT && performance.now() < endMs) {
    for (const at of heardMs.keys()) {
      if (noticedMs.has(at)) continue;
      const { agent } = await directory.getAgent({ name: `partitions/lab/agents/a${at}` });
      const nowMs = performance.timeOrigin + performance.now();
      if (agent?.status?.state === AgentState.DOWN) noticedMs.set(at, nowMs);
    }
    await pause(50, options);
  }
  transport.close();
  const spent = heardMs.map((ms, at) => ((noticedMs.get(at) ?? Number.NaN) - ms) / 1000);
  options.note(`silent agents were noticed after ${median(spent).toFixed(1)} s in the median`);
  // The slowest one: nobody is helped by the others.
  return { figure: 'silent_noticed', value: Math.max(...spent), unit: 's', samples: SILENT };
};

const pause = (ms: number, { signal }: BenchOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
