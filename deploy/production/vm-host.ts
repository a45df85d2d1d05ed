import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, type Transport } from '@connectrpc/connect';
import { AgentDirectoryService } from '../../gen/runmachine/agent/v1/agent_directory_service_pb.ts';
import { AgentState, type HostFacts } from '../../gen/runmachine/agent/v1/agent_pb.ts';
import { TrustService } from '../../gen/runmachine/identity/v1/trust_service_pb.ts';
import { silentLog } from '../../services/runtime/log.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { buildLabLinux, type LabLinux } from '../images/lab-linux/build.ts';
import {
  ensureHostProvider,
  ensureLab,
  ensureLabImage,
  hostId,
  PARTITION,
} from '../start/host-provider.ts';
import { writeWhole } from '../start/state-dir.ts';
import { type GuestTools, prepareGuestTools } from '../start/tools.ts';
import { writeAgentConfig } from './configuration.ts';
import { type Installation, nodeProcess } from './control-plane.ts';
import type { ManagedProcess } from './managed-process.ts';
import type { Places } from './places.ts';
import { programPath } from './tools.ts';

const CALL = { timeoutMs: 15_000 };

export type VmHostOptions = {
  readonly transport: Transport;
  /** What the transport goes through. */
  readonly proxy: ManagedProcess;
  readonly toolsDir: string;
  /** For the sockets of guests. */
  readonly runtimeDir: string;
  readonly say: (line: string) => void;
};

/**
 * This machine as a VM host with an agent process of its own: partition, project, provider and
 * image are made where they are missing. Without qemu the control plane runs alone, and it says so.
 */
export const startVmHost = async (
  installation: Installation,
  { transport, proxy, toolsDir, runtimeDir, say }: VmHostOptions,
): Promise<void> => {
  const { places, plan, launch, until, signal } = installation;
  // Just started, services may not have heard of each other.
  await until(proxy, () => ensureLab(transport));
  const tools = await prepareGuestTools({ toolsDir, installSystem: false, log: say, signal });
  if (tools.kind === 'missing') {
    say(`no virtual machines here: ${tools.reasons.join('; ')}`);
    say(tools.cure);
    return;
  }
  const id = hostId();
  await until(proxy, () => ensureJoinToken(transport, places, id));
  const config = writeAgentConfig(
    {
      agentId: id,
      runtimeDir,
      qemu: programPath(places.file('bin'), 'qemu', tools.qemu),
      qemuImg: programPath(places.file('bin'), 'qemu-img', tools.qemuImg),
      trialKernel: tools.kernel.image,
    },
    places,
    plan,
  );
  const agent = launch(nodeProcess(places, { name: 'agent', args: ['agent', '--config', config] }));
  await ensureLabImage(transport, await buildLab(installation, tools));
  await until(agent, async () => {
    const emulated = (await connectedAgent(transport, id)).accelerator !== 'kvm';
    await ensureHostProvider(transport, { id, guestsDir: places.file('agent'), emulated });
  });
};

/** A token is needed only until the agent has its first certificate. */
const ensureJoinToken = async (
  transport: Transport,
  places: Places,
  agentId: string,
): Promise<void> => {
  if (existsSync(join(places.file('agent'), 'agent/identity/agent.crt'))) return;
  const { secret } = await createClient(TrustService, transport).createJoinToken(
    { parent: PARTITION, roles: ['vm'], agentId, requestId: systemRandom.requestId() },
    CALL,
  );
  writeWhole(places.secret('join.token'), `${secret}\n`, 0o600);
};

const buildLab = (
  { places, signal }: Installation,
  tools: Extract<GuestTools, { kind: 'ready' }>,
): Promise<LabLinux> =>
  buildLabLinux({
    kernelPackageDir: tools.kernelPackageDir,
    busybox: tools.busybox.path,
    outputDir: places.file('images'),
    log: silentLog(),
    signal,
  });

/** Throws while it has no session. */
const connectedAgent = async (transport: Transport, id: string): Promise<HostFacts> => {
  const name = `${PARTITION}/agents/${id}`;
  const { agent } = await createClient(AgentDirectoryService, transport).getAgent({ name }, CALL);
  const { state, host } = agent?.status ?? {};
  if (state === AgentState.UP && host !== undefined) return host;
  throw new Error(`the agent "${id}" has no session`);
};
