/**
 * The agent as a process of its own: `node services/main.ts agent --config FILE`. It needs no
 * database and no etcd: it reaches the listener for people once to join, and later to renew, and
 * any replica of machine with the certificate that it was given. Without the role vm it needs
 * neither qemu nor a runtime directory, and listens nowhere.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../runtime/clock.ts';
import type { ConfigOf } from '../runtime/config-settings.ts';
import { failedPrecondition, invalidArgument } from '../runtime/errors.ts';
import { lockStateDir } from '../runtime/lock-file.ts';
import { createLog, type Logger } from '../runtime/log.ts';
import { openLogFile } from '../runtime/log-file.ts';
import { type Component, runProcess } from '../runtime/process.ts';
import { systemRandom } from '../runtime/random.ts';
import { bmcDrivers } from './bmc-drivers.ts';
import type { EnrolmentOptions } from './enrolment.ts';
import { type Agent, type AgentDeps, type AgentRoleName, createAgent } from './main.ts';
import type { AGENT_SETTINGS } from './settings.ts';
import { createVmHost } from './vm-host.ts';

export type AgentProcessConfig = ConfigOf<typeof AGENT_SETTINGS>;

const STOP_LIMIT_MS = 10_000;
const SOCKET_DIR_BYTES_MAX = 60;

/** Runs the agent until SIGTERM; resolves to the exit code. */
export const runAgent = async (config: AgentProcessConfig, version: string): Promise<number> => {
  const log = logOf(config);
  check(config);
  const lock = lockStateDir(config.stateDir, `agent ${config.agentId}`);
  const ended = new AbortController();
  process.once('SIGTERM', () => ended.abort(new Error('stopped')));
  try {
    const made = await makeAgent(config, { version, log, signal: ended.signal });
    const deps = { clock: systemClock, log };
    return await runProcess(deps, {
      components: [component(config, made.agent)],
      end: ended.signal,
      onStarted: () =>
        log.info({ roles: config.roles, accelerator: made.accelerator }, 'agent started'),
    });
  } finally {
    lock.release();
  }
};

const logOf = ({ log: { level, file } }: AgentProcessConfig): Logger =>
  file === ''
    ? createLog({ name: 'agent', level })
    : createLog({ name: 'agent', level, destination: openLogFile({ file }) });

type Making = {
  readonly version: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
};

/** The accelerator is empty without the role vm. */
const makeAgent = async (
  config: AgentProcessConfig,
  { version, log, signal }: Making,
): Promise<{ readonly agent: Agent; readonly accelerator: string }> => {
  const clock = systemClock;
  const random = systemRandom;
  const deps = { clock, random, log, ...driversOf(config) };
  if (config.roles.includes('vm')) {
    const host = await createVmHost(await hostOptions(config, version), { ...deps, signal });
    return { agent: host.agent, accelerator: host.acceleration.accelerator };
  }
  const accelerator = { name: '', reason: '' };
  const stateDir = join(config.stateDir, 'agent');
  const options = { ...(await agentOptions(config, version)), stateDir, accelerator };
  return { agent: createAgent(options, deps), accelerator: '' };
};

const driversOf = ({ roles }: AgentProcessConfig): Pick<AgentDeps, 'bmcDrivers'> =>
  roles.includes('bmc')
    ? { bmcDrivers: bmcDrivers({ clock: systemClock, random: systemRandom }) }
    : {};

const component = ({ stopGuestsWithin }: AgentProcessConfig, agent: Agent): Component => ({
  name: 'agent',
  start: () => agent.start(),
  stop: () => agent.stop(stopGuestsWithin > 0 ? { stopWithinMs: stopGuestsWithin } : {}),
  stopLimitMs: stopGuestsWithin + STOP_LIMIT_MS,
});

const check = (config: AgentProcessConfig): void => {
  const { stateDir, endpoint, caFile, caFingerprint, machineAddresses, roles } = config;
  if (stateDir === '') refuse('"state_dir" is empty; see `node services/main.ts defaults agent`');
  if (rolesOf(config).length === 0) refuse('"roles" is empty; name vm, bmc or both');
  if (roles.includes('vm')) checkRuntimeDir(config);
  if (!URL.canParse(endpoint)) {
    refuse('"endpoint" must be https://host:port of the people’s proxy');
  }
  if (caFile === '' && caFingerprint === '') refuse('one of "ca_file", "ca_fingerprint" is needed');
  const odd = machineAddresses.find((address) => !/^.+:\d{1,5}$/.test(address));
  if (odd !== undefined) refuse(`"machine_addresses": "${odd}" is not host:port`);
  if (machineAddresses.length === 0) refuse('"machine_addresses" is empty; name every replica');
};

const refuse = (message: string): never => {
  throw invalidArgument('INVALID_FIELD', message);
};

const checkRuntimeDir = ({ runtimeDir }: AgentProcessConfig): void => {
  if (runtimeDir === '') refuse('"runtime_dir" is empty, e.g. "/run/runmachine"');
  if (Buffer.byteLength(runtimeDir) > SOCKET_DIR_BYTES_MAX) {
    refuse(`"runtime_dir" is longer than ${SOCKET_DIR_BYTES_MAX} bytes: sockets would not fit`);
  }
};

const ROLES: readonly AgentRoleName[] = ['vm', 'bmc'];

const rolesOf = ({ roles }: AgentProcessConfig): readonly AgentRoleName[] => {
  const odd = roles.find((one) => !ROLES.some((role) => role === one));
  if (odd !== undefined) refuse(`"roles": "${odd}" is none of ${ROLES.join(', ')}`);
  return ROLES.filter((role) => roles.includes(role));
};

const hostOptions = async (config: AgentProcessConfig, version: string) => {
  const { stateDir, runtimeDir, guestPorts, qemu } = config;
  return {
    stateDir,
    socketsDir: runtimeDir,
    qemu: { path: qemu.program, args: [], env: {} },
    qemuImg: { path: qemu.imageProgram, args: [], env: {} },
    trialKernel: qemu.trialKernel === '' ? await newestKernel() : qemu.trialKernel,
    portRange: { firstPort: guestPorts.first, lastPort: guestPorts.last },
    agent: await agentOptions(config, version),
  };
};

const agentOptions = async (config: AgentProcessConfig, version: string) => {
  const { phoneHome } = config;
  const addresses = shuffled(config.machineAddresses);
  return {
    // Each agent begins with another replica, so that they share the agents.
    addresses: () => addresses,
    enrolment: await enrolmentOf(config),
    phoneHome: { address: phoneHome.address, port: phoneHome.port },
    guestGateway: phoneHome.gateway,
    version,
    roles: rolesOf(config),
  };
};

const shuffled = (addresses: readonly string[]): readonly string[] =>
  addresses
    .map((address) => ({ address, at: systemRandom.fraction() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ address }) => address);

const enrolmentOf = async (
  config: AgentProcessConfig,
): Promise<Omit<EnrolmentOptions, 'directory'>> => {
  const { endpoint, caFile, caFingerprint, joinTokenFile, agentId } = config;
  return {
    endpoint,
    agentId,
    ca: caFile === '' ? { fingerprint: caFingerprint } : { pem: await readText('ca_file', caFile) },
    joinToken: () => readText('join_token_file', joinTokenFile),
  };
};

const readText = async (key: string, file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw failedPrecondition('INVALID_FIELD', `Cannot read "${key}" "${file}"`, { cause });
  }
};

const newestKernel = async (): Promise<string> => {
  const names = await readdir('/boot').catch((): string[] => []);
  const newest = names
    .filter((name) => name.startsWith('vmlinuz-'))
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }))[0];
  if (newest !== undefined) return join('/boot', newest);
  throw invalidArgument(
    'INVALID_FIELD',
    '"qemu.trial_kernel" is empty and /boot holds no kernel; name a kernel that may be booted',
  );
};
