/**
 * The agent of this host: its virtual machines where qemu runs here, and the controllers of the lab
 * in any case.
 */
import { bmcDrivers } from '../../services/agent/bmc-drivers.ts';
import type { FoundAcceleration } from '../../services/agent/drivers/qemu/accelerator.ts';
import {
  type Agent,
  type AgentConfig,
  type AgentRoleName,
  createAgent,
} from '../../services/agent/main.ts';
import { createVmHost } from '../../services/agent/vm-host.ts';
import type { Embedded } from '../../services/embedded.ts';
import type { Clock } from '../../services/runtime/clock.ts';
import type { Logger } from '../../services/runtime/log.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { hostId } from './host-provider.ts';
import { StartRefused } from './options.ts';
import type { PortPurpose } from './ports.ts';
import type { StateDir } from './state-dir.ts';
import type { GuestTools } from './tools.ts';
import { readVersion } from './version.ts';

export type HostAgentOptions = {
  readonly state: StateDir;
  readonly tools: GuestTools;
  readonly embedded: Embedded;
  /** As this host reaches it. */
  readonly endpoint: string;
  readonly ports: Readonly<Record<PortPurpose, number>>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
};

export type HostAgent = {
  readonly id: string;
  readonly agent: Agent;
  /** Undefined where qemu is missing. */
  readonly guests:
    | { readonly acceleration: FoundAcceleration; readonly guestsDir: string }
    | undefined;
};

const AGENT_UP_MS = 30_000;

/** The agent is not started. */
export const createHostAgent = async (options: HostAgentOptions): Promise<HostAgent> => {
  const { state, tools, clock, log, signal } = options;
  const id = hostId();
  const deps = { clock, random: systemRandom, log };
  const drivers = { bmcDrivers: bmcDrivers(deps) };
  if (tools.kind === 'missing') {
    const config = {
      ...agentConfig(options, id, ['bmc']),
      stateDir: state.file('agent'),
      accelerator: { name: '', reason: '' },
    };
    return { id, agent: createAgent(config, { ...deps, ...drivers }), guests: undefined };
  }
  const { qemu, qemuImg } = tools;
  const { agent, acceleration, guestsDir } = await createVmHost(
    {
      stateDir: state.path,
      socketsDir: state.runtimeDir,
      qemu,
      qemuImg,
      trialKernel: tools.kernel.image,
      portRange: { firstPort: 20_000, lastPort: 29_999 },
      agent: agentConfig(options, id, ['vm', 'bmc']),
    },
    { ...deps, ...drivers, signal },
  );
  return { id, agent, guests: { acceleration, guestsDir } };
};

const agentConfig = (
  { embedded, endpoint, ports }: HostAgentOptions,
  agentId: string,
  roles: readonly AgentRoleName[],
): Omit<AgentConfig, 'stateDir' | 'accelerator'> => ({
  addresses: () => [`${new URL(endpoint).hostname}:${ports.mtls}`],
  enrolment: {
    endpoint,
    ca: { pem: embedded.caPem },
    joinToken: () => embedded.createJoinToken({ partition: 'lab', agentId, roles }),
    agentId,
  },
  phoneHome: { address: '127.0.0.1', port: ports.boot },
  guestGateway: '10.0.2.2',
  roles,
  version: readVersion(),
});

export const untilConnected = async (
  { clock, signal, state }: Pick<HostAgentOptions, 'clock' | 'signal' | 'state'>,
  agent: Agent,
): Promise<void> => {
  const endMs = clock.monotonicMs() + AGENT_UP_MS;
  while (!agent.isConnected()) {
    if (clock.monotonicMs() > endMs) {
      throw new StartRefused(
        'the agent of this host did not reach the control plane',
        `look into ${state.file('runmachine.log')}`,
      );
    }
    await clock.sleep(50, signal);
  }
};
