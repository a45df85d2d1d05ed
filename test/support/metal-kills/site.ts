/**
 * A site whose three processes may die at any moment: the embedded control plane, an agent of role
 * bmc that joined it, and a lab whose servers are simulated and whose controllers are not.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import type { LabStatus } from '../../../deploy/lab/control-protocol.ts';
import { isLabMessage } from '../../../deploy/lab/lab-message.ts';
import { type RackRecords, rackRecords } from '../../../deploy/lab/rack-records.ts';
import { ProjectService } from '../../../gen/runmachine/identity/v1/project_service_pb.ts';
import { SecretService } from '../../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { TrustService } from '../../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { PartitionService } from '../../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { ProviderGroupService } from '../../../gen/runmachine/inventory/v1/provider_group_service_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { ProviderStateService } from '../../../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { createPeopleTransport } from '../../../services/runtime/client.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { freePort } from '../free-port.ts';
import { ownNet } from '../lab-rack.ts';
import { temporaryDir } from '../temporary-dir.ts';
import { type Journal, openJournal } from './journal.ts';
import { type Victim, type VictimName, victim } from './victim.ts';

export const PARTITION = 'partitions/lab';
export const TENANT = 'projects/default';
const OPERATIONS = 'projects/operations';
const AGENT = `${PARTITION}/agents/one`;

export type Clients = {
  readonly providers: Client<typeof ProviderService>;
  readonly states: Client<typeof ProviderStateService>;
  readonly machines: Client<typeof MachineService>;
  readonly claims: Client<typeof ClaimService>;
};

export type Site = AsyncDisposable & {
  readonly clients: Clients;
  readonly rack: LabStatus;
  readonly journal: Journal;
  /** Kills it and starts it again; where that is under way, waits for it. */
  readonly strike: (name: VictimName, downMs: number) => Promise<void>;
  /** How often the lab wiped the disks of that server. */
  readonly wipes: (server: string) => number;
  /** What the power button of that server was last set to. */
  readonly power: (server: string) => string;
  /** Processes that ended though nobody killed them. */
  readonly fallen: () => readonly string[];
  /** The end of what each process logged, for who has to find out why. */
  readonly lastWords: () => string;
  /** Where a password of a controller was found though it must be nowhere. */
  readonly leaks: () => readonly string[];
};

const TESTS = import.meta.dirname;
const ROOT = join(TESTS, '../../..');

export const startSite = async (serverCount: number): Promise<Site> => {
  await using made = new AsyncDisposableStack();
  const dir = made.use(temporaryDir({ inMemory: true })).path;
  const [people, mtls] = [await freePort(), await freePort()];
  const folders = foldersIn(dir);
  const lab = made.use(labOf(folders, serverCount));
  const cleaning = [process.execPath, join(ROOT, 'deploy/lab/clean.ts'), folders.socket];
  const controlPlane = made.use(
    victim({
      name: 'control plane',
      args: [
        ...[join(TESTS, 'control-plane-child.ts'), folders.controlPlane],
        ...[String(people), String(mtls), ...cleaning],
      ],
      tellsReady: true,
    }),
  );
  const [said, status] = await Promise.all([controlPlane.start(), lab.start().then(labStatus)]);
  const endpoint = `https://127.0.0.1:${people}`;
  const caPem = String(Object(said).caPem);
  const token = readFileSync(String(Object(said).adminTokenFile), 'utf8').trim();
  const { transport, close } = createPeopleTransport({ endpoint, caPem, token, timeoutMs: 5_000 });
  made.defer(close);
  await prepare(transport, status);
  const config = await agentConfig(transport, folders, { endpoint, mtls });
  const agent = made.use(
    victim({
      name: 'agent',
      args: [join(ROOT, 'services/agent-main.ts'), 'agent', '--config', config],
      tellsReady: false,
    }),
  );
  await agent.start();
  const journal = made.use(openJournal(join(folders.controlPlane, 'machine.sqlite')));
  const victims = { agent, 'control plane': controlPlane, lab };
  const stack = made.move();
  return {
    clients: clientsOf(transport),
    ...{ rack: status, journal },
    strike: striker(victims),
    wipes: (server) => wipesIn(stateOf(folders.lab, server)),
    power: (server) => String(Object(Object(stateOf(folders.lab, server)).wanted).power),
    fallen: () => Object.values(victims).flatMap((one) => one.fell() ?? []),
    leaks: () => leaksIn(saidBy(Object.values(victims), folders), status),
    lastWords: () =>
      saidBy(Object.values(victims), folders)
        .map(
          ([place, text]) =>
            `${place}:\n${text
              .split('\n')
              .filter((line) => !/"call (?:served|refused)"/.test(line))
              .slice(-LAST_WORDS)
              .join('\n')}`,
        )
        .join('\n'),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};

type Folders = ReturnType<typeof foldersIn>;

const foldersIn = (dir: string) => {
  const folders = { controlPlane: join(dir, 'c'), agent: join(dir, 'a'), lab: join(dir, 'l') };
  for (const path of Object.values(folders)) mkdirSync(path, { mode: 0o700 });
  return { ...folders, socket: join(folders.lab, 'lab.sock') };
};

/** Every second one is enrolled by IPMI. */
const labOf = (folders: Folders, serverCount: number): Victim => {
  const rack = join(folders.lab, 'rack.yaml');
  const servers = Array.from({ length: serverCount }, (_, at) => {
    const bmc = at % 2 === 0 ? 'redfish' : 'ipmi';
    return `  - { name: r1u${at + 1}, unit: ${at + 1}, bmc: ${bmc} }\n`;
  });
  writeFileSync(rack, `site: s\nrack: r1\nservers:\n${servers.join('')}`);
  const dirs = ['--state-dir', folders.lab, '--sockets-dir', folders.lab, '--rack', rack];
  const args = [join(ROOT, 'deploy/lab/main.ts'), '--simulated', ...dirs];
  return victim({
    name: 'lab',
    args: [...args, '--first-net', String(ownNet())],
    tellsReady: true,
  });
};

const labStatus = (message: unknown): LabStatus => {
  if (isLabMessage(message) && message.lab === 'ready') return message.status;
  throw new Error(`the lab is not ready: ${JSON.stringify(message)}`);
};

const clientsOf = (transport: Transport): Clients => ({
  providers: createClient(ProviderService, transport),
  states: createClient(ProviderStateService, transport),
  machines: createClient(MachineService, transport),
  claims: createClient(ClaimService, transport),
});

const requestId = systemRandom.requestId;

const secretOf = (server: string): string => `${OPERATIONS}/secrets/bmc-${server}`;

/** As the rack is enrolled by `npm start`. */
export const recordsOf = (status: LabStatus): RackRecords =>
  rackRecords(status, { partition: PARTITION, agents: [AGENT], secretOf });

const prepare = async (transport: Transport, status: LabStatus): Promise<void> => {
  await createClient(PartitionService, transport).createPartition({
    ...{ partitionId: 'lab', partition: {}, requestId: requestId() },
  });
  for (const projectId of ['default', 'operations']) {
    await createClient(ProjectService, transport).createProject({
      ...{ projectId, project: { spec: {} }, requestId: requestId() },
    });
  }
  for (const group of recordsOf(status).groups) {
    const groupId = group.name.slice(group.name.lastIndexOf('/') + 1);
    await createClient(ProviderGroupService, transport).createProviderGroup({
      ...{ parent: PARTITION, groupId, group, requestId: requestId() },
    });
  }
  for (const { name, credentialsFile } of status.servers) {
    const data: Record<string, string> = JSON.parse(readFileSync(credentialsFile, 'utf8'));
    await createClient(SecretService, transport).createSecret({
      ...{ parent: OPERATIONS, secretId: `bmc-${name}`, data, requestId: requestId() },
    });
  }
};

const agentConfig = async (
  transport: Transport,
  { agent }: Folders,
  { endpoint, mtls }: { readonly endpoint: string; readonly mtls: number },
): Promise<string> => {
  const made = await createClient(TrustService, transport).createJoinToken({
    ...{ parent: PARTITION, roles: ['bmc'], agentId: 'one', requestId: requestId() },
  });
  const tokenFile = join(agent, 'join-token');
  writeFileSync(tokenFile, made.secret, { mode: 0o600 });
  const config = join(agent, 'agent.yaml');
  const lines = [
    ...['agent_id: one', 'roles: [bmc]', `state_dir: ${agent}`, `endpoint: ${endpoint}`],
    ...[`ca_fingerprint: ${made.caFingerprint}`, `join_token_file: ${tokenFile}`],
    `machine_addresses: ["127.0.0.1:${mtls}"]`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return config;
};

const striker = (victims: Readonly<Record<VictimName, Victim>>): Site['strike'] => {
  const down = new Map<VictimName, Promise<void>>();
  const killAndStart = async (name: VictimName, downMs: number): Promise<void> => {
    await victims[name].kill();
    await new Promise((resolve) => setTimeout(resolve, downMs));
    await victims[name].start();
    down.delete(name);
  };
  return (name, downMs) => {
    const struck = down.get(name) ?? killAndStart(name, downMs);
    down.set(name, struck);
    return struck;
  };
};

/** Of a server that nobody did anything with there is no file. */
const UNTOUCHED = { wanted: { power: 'off' }, log: [] };

const stateOf = (lab: string, server: string): unknown => {
  const file = join(lab, 'servers', server, 'state.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : UNTOUCHED;
};

const wipesIn = (state: unknown): number => {
  const log: unknown = Object(state).log;
  return (Array.isArray(log) ? log : []).filter(({ message }) => message === 'Disks wiped').length;
};

const LAST_WORDS = 40;

type Said = readonly (readonly [place: string, text: string])[];

const saidBy = (victims: readonly Victim[], folders: Folders): Said => [
  ...victims.map((one) => [`what the ${one.name} printed`, one.printed()] as const),
  ...victims.map((one) => [`command line of the ${one.name}`, one.commandLine()] as const),
  ...[join(folders.controlPlane, 'runmachine.log'), join(folders.lab, 'lab.log')].map(
    (file) => [file, readFileSync(file, 'utf8')] as const,
  ),
];

const leaksIn = (said: Said, { servers }: LabStatus): readonly string[] => {
  const passwords = servers.map(({ credentialsFile }): string => {
    const { password } = JSON.parse(readFileSync(credentialsFile, 'utf8'));
    return password;
  });
  return said
    .filter(([, text]) => passwords.some((password) => text.includes(password)))
    .map(([place]) => place);
};
