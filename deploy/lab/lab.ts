/** A lab: a rack that runs on a directory of its own, and the socket that it is asked through. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { lockStateDir, type StateLock } from '../../services/runtime/lock-file.ts';
import type { Logger } from '../../services/runtime/log.ts';
import type { Random } from '../../services/runtime/random.ts';
import type { ControlAnswer, ControlRequest, LabStatus } from './control-protocol.ts';
import { openControlSocket } from './control-socket.ts';
import { CONTROL_SOCKET, type LabOptions } from './lab-options.ts';
import { openRackMachines, type RackMachines } from './qemu-rack.ts';
import {
  type RackDeps,
  type RackFronts,
  type RunningRack,
  type RunningServer,
  startRack,
} from './rack.ts';
import { type Rack, readRackFile } from './rack-description.ts';

export type LabDeps = {
  readonly fronts: RackFronts;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly say: (line: string) => void;
  /** How long to wait for a lab that is about to let go of the directory. */
  readonly lockLimitMs: number;
  /** Ends the preparations. */
  readonly signal: AbortSignal;
};

export type Lab = {
  readonly status: () => LabStatus;
  readonly socket: string;
  /** Within the limit guests are asked to power off, then forced; the next lab boots them again. */
  readonly stop: (limitMs: number) => Promise<void>;
  /** Guests run on, and the next lab finds them. */
  readonly letGo: () => Promise<void>;
};

/**
 * Throws invalid_argument RACK_INVALID, already_exists BUSY for a state directory that is in use.
 */
export const startLab = async (options: LabOptions, deps: LabDeps): Promise<Lab> => {
  const { clock, random, log } = deps;
  const rack = readRackFile(options.rackFile);
  await using parts = new AsyncDisposableStack();
  const lock = await takeLock(options.stateDir, deps);
  parts.defer(() => lock.release());
  mkdirSync(options.socketsDir, { recursive: true, mode: 0o700 });
  const machines = await openRackMachines(options, deps);
  parts.defer(() => machines.close());
  const running = await startRackSomewhere(rack, {
    ...{ stateDir: options.stateDir, fronts: deps.fronts, firstNet: options.firstNet },
    ...{ machineOf: machines.machineOf, clock, random, log },
  });
  parts.defer(() => running.close());
  const status = () => statusOf({ rack, machines, running });
  const socket = join(options.socketsDir, CONTROL_SOCKET);
  const control = await openControlSocket({
    ...{ path: socket, clock },
    answer: (request) => answerOf(request, status, running),
  });
  parts.defer(() => control.close());
  const open = parts.move();
  log.info({ rack: rack.rack, machines: machines.kind, why: machines.why }, 'lab runs');
  return {
    ...{ status, socket },
    stop: async (limitMs) => {
      running.suspend();
      await machines.stopAll(limitMs);
      await open.disposeAsync();
    },
    letGo: () => open.disposeAsync(),
  };
};

const LOCK_PAUSE_MS = 100;

const takeLock = async (
  stateDir: string,
  { clock, lockLimitMs, signal }: LabDeps,
): Promise<StateLock> => {
  const endMs = clock.monotonicMs() + lockLimitMs;
  for (;;) {
    try {
      return lockStateDir(stateDir, 'lab');
    } catch (error) {
      const isBusy = isDomainError(error, 'already_exists', 'BUSY');
      if (!isBusy || clock.monotonicMs() > endMs) throw error;
      await clock.sleep(LOCK_PAUSE_MS, signal);
    }
  }
};

const START_TRIES = 5;

/** Another lab may take the addresses between their being chosen and their being used. */
const startRackSomewhere = async (rack: Rack, deps: RackDeps): Promise<RunningRack> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await startRack(rack, deps);
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
      if (!isTaken || tries === START_TRIES) throw error;
      deps.log.info({ err: error }, 'addresses were taken meanwhile; choosing again');
    }
  }
};

const answerOf = async (
  request: ControlRequest,
  status: () => LabStatus,
  running: RunningRack,
): Promise<ControlAnswer> => {
  switch (request.verb) {
    case 'status':
      return { kind: 'status', status: status() };
    case 'fault':
      running.setFault(request.server, request.fault === 'none' ? undefined : request.fault);
      return { kind: 'done' };
    case 'wipe':
      await running.wipe(request.server);
      return { kind: 'done' };
  }
};

const statusOf = (of: {
  readonly rack: Rack;
  readonly machines: RackMachines;
  readonly running: RunningRack;
}): LabStatus => ({
  site: of.rack.site,
  rack: of.rack.rack,
  powerFeeds: of.rack.powerFeeds,
  machines: of.machines.kind,
  why: of.machines.why,
  servers: of.running.servers.map(serverStatusOf),
});

const serverStatusOf = (one: RunningServer) => {
  const { host, redfishPort, ipmiPort } = one.address;
  return {
    name: one.server.hardware.name,
    unit: one.description.unit,
    powerFeeds: one.description.powerFeeds,
    bmc: one.description.bmc,
    nics: one.server.hardware.nics,
    bmcMac: one.server.hardware.bmcMac,
    power: one.server.power(),
    redfish: `https://${host}:${redfishPort}`,
    ipmi: `${host}:${ipmiPort}`,
    credentialsFile: one.credentialsFile,
    fault: one.fault() ?? ('none' as const),
  };
};
