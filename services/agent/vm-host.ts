import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import { cachedAcceleration } from './cached-acceleration.ts';
import type { FoundAcceleration } from './drivers/qemu/accelerator.ts';
import { createQemuDriver } from './drivers/qemu/guest.ts';
import type { Program } from './drivers/qemu/program.ts';
import { guestDriverOf } from './guest-driver-qemu.ts';
import { type Agent, type AgentConfig, type AgentDeps, createAgent } from './main.ts';

/** An agent with role `vm` on this host, with qemu below it. */
export type VmHostOptions = {
  /** The agent's directory is `agent` in it, the guests' is `guests`. */
  readonly stateDir: string;
  /** For sockets; short, because a unix socket's path has about 100 bytes. Private to this user. */
  readonly socketsDir: string;
  readonly qemu: Program;
  readonly qemuImg: Program;
  /** Kernel that is booted once to find out how this host runs guests. */
  readonly trialKernel: string;
  /** Host ports that guests' ports are forwarded from. */
  readonly portRange: { readonly firstPort: number; readonly lastPort: number };
  readonly agent: Omit<AgentConfig, 'stateDir' | 'accelerator'>;
};

export type VmHostDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Needed where the agent takes the role bmc beside vm. */
  readonly bmcDrivers?: AgentDeps['bmcDrivers'];
};

export type VmHost = {
  readonly agent: Agent;
  readonly acceleration: FoundAcceleration;
  readonly guestsDir: string;
};

/** Errors: unavailable QEMU_UNUSABLE when no kernel boots here. The agent is not started. */
export const createVmHost = async (options: VmHostOptions, deps: VmHostDeps): Promise<VmHost> => {
  const { stateDir, qemu, qemuImg, socketsDir, portRange } = options;
  const { clock, random, log } = deps;
  const guestsDir = join(stateDir, 'guests');
  await mkdir(guestsDir, { recursive: true, mode: 0o700 });
  await mkdir(socketsDir, { recursive: true, mode: 0o700 });
  const acceleration = await cachedAcceleration(options, deps);
  const driver = guestDriverOf(
    createQemuDriver({
      ...{ qemu, qemuImg, acceleration, guestsDir, socketsDir, portRange, clock, log },
    }),
  );
  const accelerator = { name: acceleration.accelerator, reason: acceleration.why };
  const config = { ...options.agent, stateDir: join(stateDir, 'agent'), accelerator };
  const { bmcDrivers } = deps;
  const more = bmcDrivers === undefined ? {} : { bmcDrivers };
  const agent = createAgent(config, { driver, clock, random, log, ...more });
  return { agent, acceleration, guestsDir };
};
