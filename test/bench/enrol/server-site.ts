/**
 * A site whose servers are enrolled: the control plane in one process, an agent with the role bmc
 * in another, and in a third the servers' controllers, each answering after a delay.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { labHardware } from '../../../deploy/lab/lab-hardware.ts';
import { ProjectService } from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import { SecretService } from '../../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { BmcType, NicType } from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  ProviderService,
  UpsertOutcome,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { AGENT_NODE_FLAGS } from '../../../services/agent/systemd-unit.ts';
import { createPeopleTransport } from '../../../services/runtime/client.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';
import type { BenchOptions } from '../bench.ts';
import { type Child, startChild } from '../child.ts';
import type { FleetAsked, FleetBegun } from '../subjects/bmc-fleet.ts';
import type { SiteStarted } from '../subjects/whole-site.ts';

export const PARTITION = 'partitions/lab';
export const PROJECT = `${PARTITION}/projects/ops`;
const SECRET = 'projects/ops/secrets/bmc';
const AGENT = 'one';
const BATCH = 500;
const UNDER_WAY = 4;
const START_MS = 300_000;
const POLL_MS = 100;
const STOP_MS = 20_000;

export type SiteOptions = {
  /** Controllers that there are; those are enrolled that `enrol` names. */
  readonly count: number;
  readonly latencyMs: number;
  /** Whether the controllers speak IPMI too, for consoles. */
  readonly isIpmi?: boolean;
};

export type ServerSite = AsyncDisposable & {
  readonly transport: Transport;
  readonly site: Child;
  readonly fleet: Child;
  readonly begun: FleetBegun;
  readonly credentials: { readonly user: string; readonly password: string };
  /** Imports the servers with these numbers; resolves when inventory has them. */
  readonly importServers: (from: number, to: number) => Promise<void>;
  /** Resolves when so many servers are available. */
  readonly untilAvailable: (count: number, limitMs: number) => Promise<void>;
  readonly states: () => ReadonlyMap<string, number>;
  /** The most that the agent ever held, in bytes. */
  readonly agentPeakBytes: () => number;
  /** CPU time so far in microseconds: control plane, agent, controllers. */
  readonly cpuUs: () => Promise<readonly [number, number, number]>;
};

export const startServerSite = async (
  options: SiteOptions,
  { note, signal }: BenchOptions,
): Promise<ServerSite> => {
  await using parts = new AsyncDisposableStack();
  const dir = parts.use(temporaryDir({ inMemory: true })).path;
  const credentials = { user: 'bench', password: randomBytes(9).toString('base64url') };
  const fleet = parts.use(startChild('subjects/bmc-fleet.ts'));
  const begin: FleetAsked = { ...options, ...credentials };
  const begun = await fleet.ask<FleetBegun>('begin', begin, START_MS);
  const site = parts.use(startChild('subjects/whole-site.ts'));
  const stateDir = join(dir, 'site');
  mkdirSync(stateDir);
  const logFile = join(dir, 'site.log');
  const asked = { stateDir, logFile, partition: 'lab', agentId: AGENT };
  const started = await site.ask<SiteStarted>('start', asked, START_MS);
  const { endpoint, caPem, adminToken: token } = started;
  const people = createPeopleTransport({ endpoint, caPem, token, timeoutMs: 60_000 });
  parts.defer(people.close);
  await makePlaces(people.transport, credentials);
  const agent = parts.use(startAgent(dir, started));
  const database = new DatabaseSync(join(stateDir, 'machine.sqlite'), { readOnly: true });
  parts.defer(() => database.close());
  const counted = database.prepare(
    'select state, count(*) as n from provider_state group by state',
  );
  const states = () =>
    new Map(counted.all().map(({ state, n }) => [String(state), Number(n)] as const));
  const providers = createClient(ProviderService, people.transport);
  const open = parts.move();
  return {
    ...{ transport: people.transport, site, fleet, begun, credentials, states },
    importServers: (from, to) => importServers(providers, begun, { from, to }),
    untilAvailable: async (count, limitMs) => {
      const endMs = systemClock.monotonicMs() + limitMs;
      while ((states().get('available') ?? 0) < count) {
        signal.throwIfAborted();
        if (agent.ended()) throw new Error(`the agent ended: ${agent.said()}`);
        if (systemClock.monotonicMs() > endMs) {
          note(agent.said());
          throw new Error(`servers are not available in time: ${JSON.stringify([...states()])}`);
        }
        await systemClock.sleep(POLL_MS, signal);
      }
    },
    agentPeakBytes: () => peakBytesOf(agent.pid),
    cpuUs: async () => [
      await site.ask<number>('cpuUs'),
      cpuUsOf(agent.pid),
      await fleet.ask<number>('cpuUs'),
    ],
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
};

const makePlaces = async (
  transport: Transport,
  data: { readonly user: string; readonly password: string },
): Promise<void> => {
  const requestId = () => randomUUID();
  await createClient(PartitionService, transport).createPartition({
    ...{ partitionId: 'lab', partition: {}, requestId: requestId() },
  });
  await createClient(ProjectService, transport).createProject({
    ...{ projectId: 'ops', project: { spec: {} }, requestId: requestId() },
  });
  await createClient(SecretService, transport).createSecret({
    ...{ parent: 'projects/ops', secretId: 'bmc', data, requestId: requestId() },
  });
};

type Agent = AsyncDisposable & {
  readonly pid: number;
  readonly ended: () => boolean;
  /** The end of what it logged. */
  readonly said: () => string;
};

/** As it runs on a host that has joined: a process of its own, with nothing but the role bmc. */
const startAgent = (dir: string, site: SiteStarted): Agent => {
  const file = (name: string, text: string): string => {
    const path = join(dir, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const config = {
    agent_id: AGENT,
    roles: ['bmc'],
    state_dir: join(dir, 'agent'),
    endpoint: site.endpoint,
    ca_file: file('ca.pem', site.caPem),
    join_token_file: file('join-token', site.joinToken),
    machine_addresses: [`127.0.0.1:${site.mtlsPort}`],
  };
  mkdirSync(config.state_dir);
  // JSON is YAML.
  const configFile = file('agent.yaml', JSON.stringify(config));
  const entry = join(import.meta.dirname, '../../../services/agent-main.ts');
  const child = spawn(
    process.execPath,
    [...AGENT_NODE_FLAGS, entry, 'agent', '--config', configFile],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      said = `${said}${String(part)}`.slice(-4_000);
    });
  }
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  return {
    ...{ pid: child.pid ?? 0, ended, said: () => said },
    [Symbol.asyncDispose]: () => stop(child, ended),
  };
};

const stop = async (child: ChildProcess, ended: () => boolean): Promise<void> => {
  if (ended()) return;
  const exited = once(child, 'exit');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  child.kill('SIGTERM');
  await exited;
  clearTimeout(force);
};

type Range = { readonly from: number; readonly to: number };

const importServers = async (
  client: Client<typeof ProviderService>,
  begun: FleetBegun,
  { from, to }: Range,
): Promise<void> => {
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) {
      const first = next;
      next = Math.min(to, first + BATCH);
      const items = Array.from({ length: next - first }, (_, at) => serverOf(first + at, begun));
      const request = { parent: PARTITION, items, requestId: randomUUID() };
      const { results } = await client.batchUpsertProviders(request);
      const wrong = results.find(({ outcome }) => outcome !== UpsertOutcome.CREATED);
      if (wrong !== undefined) throw new Error(`${wrong.name}: ${wrong.error?.message}`);
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, worker));
};

/** What a buyer's list says: where it is reached, how to get in, its MACs. */
const serverOf = (number: number, { redfish, ipmi }: FleetBegun) => {
  const { nics } = labHardware(`bmc${number}`, 'fleet');
  const ipmiAddress = ipmi[number];
  return {
    providerId: `s${number}`,
    provider: {
      spec: {
        type: ProviderType.BARE_METAL,
        inventories: [{ resourceType: 'runm.machine.whole', total: 1n }],
        nics: nics.map(({ label, mac }, at) => ({
          ...{ label, mac, type: NicType.PHYSICAL, primary: at === 0 },
        })),
        bmc: {
          ...{ type: BmcType.REDFISH, address: redfish[number] ?? '', secret: SECRET },
          ...(ipmiAddress === undefined ? {} : { ipmiAddress }),
        },
        agentPools: [{ role: 'bmc', agents: [`${PARTITION}/agents/${AGENT}`] }],
      },
    },
  };
};

const peakBytesOf = (pid: number): number => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) * 1024;
};

const TICK_US = 10_000;

const cpuUsOf = (pid: number): number => {
  // Behind the name, which may hold anything, fields 14 and 15 of all are user and system time.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
};
