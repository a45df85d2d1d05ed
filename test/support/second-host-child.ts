/**
 * `node second-host-child.ts WORK_DIR BUNDLES_DIR`, in a network of its own: a control plane, a
 * controller, and two hosts that join by pasting the line, each killed in turn. Prints one line of
 * JSON for each thing that it saw.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { startRedfishFront } from '../../deploy/lab/redfish/front.ts';
import { AgentDirectoryService } from '../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { AgentState } from '../../gen/runmachine/agent/v1/agent_pb.ts';
import { ProjectService } from '../../gen/runmachine/identity/v1/project_service_pb.ts';
import { SecretService } from '../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { PartitionService } from '../../gen/runmachine/inventory/v1/partition_service_pb.ts';
import { BmcType } from '../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import { ProviderType } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { PowerChange } from '../../gen/runmachine/machine/v1/hardware_pb.ts';
import type { PowerState } from '../../gen/runmachine/machine/v1/machine_pb.ts';
import { ProviderHardwareService } from '../../gen/runmachine/machine/v1/provider_hardware_service_pb.ts';
import { startEmbedded } from '../../services/embedded.ts';
import { createPeopleTransport } from '../../services/runtime/client.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { eventually } from './eventually.ts';
import { quickLabServer, USER } from './redfish-lab.ts';
import { createRunm, ok } from './runm.ts';
import { silentLog } from './silent-log.ts';

const [workDir = '', bundlesDir = ''] = process.argv.slice(2);
const LIMIT = { limitMs: 240_000 };
const [PEOPLE, MTLS] = [27_443, 27_444];
const tell = (seen: string, data: unknown = true): void =>
  console.log(JSON.stringify({ seen, data }));

tell('interfaces', Object.keys(networkInterfaces()));
const stateDir = join(workDir, 'control-plane');
mkdirSync(stateDir);
const embedded = await startEmbedded({
  ...{ stateDir, cluster: 'lab', publicNames: [], origins: [], version: '0.1.0' },
  people: { host: '127.0.0.1', port: PEOPLE },
  mtls: { host: '127.0.0.1', port: MTLS },
  agentBundles: { directory: bundlesDir },
  ...{ clock, random, log: silentLog },
});
const endpoint = `https://127.0.0.1:${PEOPLE}`;
const { caPem } = embedded;
const token = readFileSync(embedded.adminTokenFile, 'utf8').trim();
const { transport } = createPeopleTransport({ endpoint, caPem, token });
const requestId = random.requestId;

const caFile = join(workDir, 'ca.pem');
writeFileSync(caFile, caPem);
const { runm } = createRunm({
  ...process.env,
  RUNM_CONFIG: join(workDir, 'none.json'),
  RUNM_ENDPOINT: endpoint,
  RUNM_CA_FILE: caFile,
  RUNM_TOKEN: token,
  RUNM_PARTITION: 'lab',
  RUNM_PROJECT: 'tenants',
});

const partitions = createClient(PartitionService, transport);
await partitions.createPartition({ partitionId: 'lab', partition: {}, requestId: requestId() });

/** A host: its line, pasted into a shell whose home is its own. */
const joinHost = async (id: string) => {
  const made = await runm('agent', 'token', 'create', '--roles', 'bmc', '--id', id, '--foreground');
  const line = ok(made).trim();
  const home = join(workDir, id);
  mkdirSync(home);
  const paste = (text: string): ChildProcess =>
    spawn('sh', ['-s'], {
      env: { PATH: process.env.PATH, HOME: home },
      stdio: ['pipe', 'inherit', 'inherit'],
      detached: true,
    }).on('spawn', function (this: ChildProcess) {
      this.stdin?.end(`${text}\n`);
    });
  let running = paste(line);
  const folder = join(home, '.local/share/runmachine-agent');
  return {
    ...{ line, paste, folder },
    kill: async (): Promise<void> => {
      const gone = new Promise((resolve) => running.once('exit', resolve));
      process.kill(-(running.pid ?? 0), 'SIGKILL');
      await gone;
    },
    /** As the unit would: what is installed, with its configuration. */
    again: (): void => {
      running = paste(
        `exec ${folder}/current/bin/node ${folder}/current/main.mjs agent --config ${folder}/agent.yaml`,
      );
    },
  };
};

const agents = createClient(AgentDirectoryService, transport);
const isUp = async (id: string): Promise<boolean> => {
  const { agent } = await agents.getAgent({ name: `partitions/lab/agents/${id}` });
  return agent?.status?.state === AgentState.UP;
};

const one = await joinHost('one');
const two = await joinHost('two');
await eventually(async () => (await isUp('one')) && (await isUp('two')), LIMIT);
tell('both hosts are up');
tell(
  'files',
  ['current/bin/node', 'current/main.mjs', 'agent.yaml'].map((file) =>
    existsSync(join(one.folder, file)),
  ),
);

// A line that was tampered with must stop before anything of it runs.
const forged = one.line.replace(/= [0-9a-f]{64}/, `= ${'0'.repeat(64)}`);
const code = await new Promise((resolve) => one.paste(forged).once('exit', resolve));
tell('another CA', code);

const server = quickLabServer();
const bmc = await startRedfishFront({
  ...{ server, faults: { current: () => undefined }, host: '127.0.0.1', port: 0 },
  ...{ directory: workDir, clock, random, log: silentLog },
});
await createClient(ProjectService, transport).createProject({
  ...{ projectId: 'operations', project: { spec: {} }, requestId: requestId() },
});
await createClient(ProjectService, transport).createProject({
  ...{ projectId: 'tenants', project: { spec: {} }, requestId: requestId() },
});
await createClient(SecretService, transport).createSecret({
  ...{ parent: 'projects/operations', secretId: 'bmc', data: { ...USER }, requestId: requestId() },
});
await createClient(ProviderService, transport).createProvider({
  parent: 'partitions/lab',
  providerId: 'r1u1',
  provider: {
    spec: {
      type: ProviderType.BARE_METAL,
      inventories: [{ resourceType: 'runm.machine.whole', total: 1n }],
      bmc: {
        type: BmcType.REDFISH,
        address: `https://127.0.0.1:${bmc.port}`,
        secret: 'projects/operations/secrets/bmc',
      },
      agentPools: [
        { role: 'bmc', agents: ['partitions/lab/agents/one', 'partitions/lab/agents/two'] },
      ],
    },
  },
  requestId: requestId(),
});
const hardware = createClient(ProviderHardwareService, transport);
const name = 'partitions/lab/providers/r1u1';
const power = async (change: PowerChange): Promise<PowerState | undefined> => {
  const asked = { name, change, force: true, reason: 'a test', requestId: requestId() };
  return eventually(
    async () => (await hardware.changeProviderPower(asked, { timeoutMs: 60_000 })).power,
    LIMIT,
  );
};
tell('power', [await power(PowerChange.ON), server.power()]);
for (const [id, host] of [
  ['one', one],
  ['two', two],
] as const) {
  await host.kill();
  await eventually(async () => !(await isUp(id)), LIMIT);
  tell(`without ${id}`, [await power(PowerChange.OFF), server.power()]);
  tell(`on without ${id}`, [await power(PowerChange.ON), server.power()]);
  host.again();
  await eventually(() => isUp(id), LIMIT);
  tell(`${id} is back`);
}

// A machine on that server: whichever agent dies, each reset boots it once, and nothing else does.
let boots = 0;
let wasOn = server.power() === 'on';
server.onChange(() => {
  const isOn = server.power() === 'on' || server.power() === 'turning_on';
  if (isOn && !wasOn) boots += 1;
  wasOn = isOn;
});
const create = () => runm('machine', 'create', 'm1', '--on', 'metal', '--wait');
await eventually(async () => ok(await create()), LIMIT);
tell('created', [boots, server.power()]);
for (const [id, host] of [
  ['one', one],
  ['two', two],
] as const) {
  await host.kill();
  await eventually(async () => !(await isUp(id)), LIMIT);
  const before = boots;
  ok(await runm('machine', 'reset', 'm1', '--wait'));
  tell(`reset without ${id}`, [boots - before, server.power()]);
  host.again();
  await eventually(() => isUp(id), LIMIT);
}
await one.kill();
await two.kill();
await bmc.close();
await server.close();
await embedded.stop();
process.exit(0);
