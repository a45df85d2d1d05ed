/**
 * Brings up a rack: for each server its state, what is behind its controller, and the protocols in
 * front of it. What it keeps lies in one directory, so that the next process goes on with it.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../services/runtime/clock.ts';
import { notFound } from '../../services/runtime/errors.ts';
import type { Logger } from '../../services/runtime/log.ts';
import type { Random } from '../../services/runtime/random.ts';
import { chooseAddresses, type LabAddress } from './addresses.ts';
import { administratorOf, ensureCredentials, withCredentials } from './credentials.ts';
import { createFaultSwitch, type FaultSwitch } from './fault-switch.ts';
import type { LabFrontOptions, LabFrontStarter } from './front-port.ts';
import type { LabDelays } from './power-loop.ts';
import type { Rack, RackServer } from './rack-description.ts';
import type { LabFault, LabHardware, LabMachine } from './server-port.ts';
import { createLabServer, type OwnedLabServer } from './simulated-server.ts';
import { createFileStore, readPrivateJson, writePrivateFile } from './state-file.ts';

export type RackFronts = { readonly redfish: LabFrontStarter; readonly ipmi: LabFrontStarter };

export type RackDeps = {
  readonly stateDir: string;
  readonly fronts: RackFronts;
  readonly machineOf: (hardware: LabHardware) => LabMachine;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly delays?: Partial<LabDelays>;
  /** See addresses.ts. */
  readonly firstNet?: number;
};

export type RunningServer = {
  readonly description: RackServer;
  readonly server: OwnedLabServer;
  readonly address: LabAddress;
  /** Holds user and password of its first administrator; 0600. */
  readonly credentialsFile: string;
  readonly fault: () => LabFault | undefined;
};

export type RunningRack = {
  readonly servers: readonly RunningServer[];
  /** Undefined: none any more. Throws not_found LAB_SERVER_NOT_FOUND. */
  readonly setFault: (name: string, fault: LabFault | undefined) => void;
  /**
   * Throws not_found LAB_SERVER_NOT_FOUND, failed_precondition SERVER_ON.
   */
  readonly wipe: (name: string) => Promise<void>;
  /** The next process boots what is on now. */
  readonly suspend: () => void;
  /** Lets go of what is behind the controllers. */
  readonly close: () => Promise<void>;
};

export const startRack = async (rack: Rack, deps: RackDeps): Promise<RunningRack> => {
  await using parts = new AsyncDisposableStack();
  mkdirSync(deps.stateDir, { recursive: true, mode: 0o700 });
  const addresses = await rememberedAddresses(rack, deps);
  const switches = new Map<string, FaultSwitch>();
  const servers: RunningServer[] = [];
  for (const description of rack.servers) {
    const { name } = description.hardware;
    const address = addresses[name];
    if (address === undefined) throw new RangeError(`no address for ${name}`);
    const fault = createFaultSwitch();
    switches.set(name, fault);
    servers.push(await startServer({ description, address, fault, deps, parts }));
  }
  const running = parts.move();
  return {
    servers,
    setFault: (name, fault) => {
      const found = switches.get(name);
      if (found === undefined) throw noServer(name, [...switches.keys()]);
      found.set(fault);
      deps.log.info({ server: name, fault: fault ?? 'none' }, 'fault set');
    },
    wipe: async (name) => {
      const found = servers.find(({ server }) => server.hardware.name === name);
      if (found === undefined) throw noServer(name, [...switches.keys()]);
      await found.server.wipe();
      deps.log.info({ server: name }, 'wiped');
    },
    suspend: () => {
      for (const { server } of servers) server.suspend();
    },
    close: () => running.disposeAsync(),
  };
};

const rememberedAddresses = async (
  rack: Rack,
  { stateDir, firstNet = 1 }: RackDeps,
): Promise<Readonly<Record<string, LabAddress>>> => {
  const file = join(stateDir, 'addresses.json');
  const remembered = readPrivateJson(file, addressesOf) ?? {};
  const names = rack.servers.map(({ hardware }) => hardware.name);
  const chosen = await chooseAddresses(names, { remembered, firstNet });
  writePrivateFile(file, `${JSON.stringify(chosen, null, 2)}\n`);
  return chosen;
};

const addressesOf = (value: unknown): Record<string, LabAddress> => {
  const found: Record<string, LabAddress> = {};
  for (const [name, one] of Object.entries(typeof value === 'object' ? (value ?? {}) : {})) {
    const { host, redfishPort, ipmiPort } = one ?? {};
    if (typeof host !== 'string') continue;
    found[name] = { host, redfishPort: Number(redfishPort), ipmiPort: Number(ipmiPort) };
  }
  return found;
};

const startServer = async (of: {
  readonly description: RackServer;
  readonly address: LabAddress;
  readonly fault: FaultSwitch;
  readonly deps: RackDeps;
  readonly parts: AsyncDisposableStack;
}): Promise<RunningServer> => {
  const { description, address, fault, deps, parts } = of;
  const { hardware } = description;
  const { clock, random, log, delays } = deps;
  const directory = join(deps.stateDir, 'servers', hardware.name);
  const credentialsFile = join(directory, 'credentials.json');
  const credentials = ensureCredentials(credentialsFile, random);
  const server = createLabServer({
    ...{ hardware, clock, random },
    machine: deps.machineOf(hardware),
    accounts: [administratorOf(credentials)],
    store: withCredentials(createFileStore(join(directory, 'state.json')), credentialsFile),
    ...(delays === undefined ? {} : { delays }),
  });
  parts.defer(() => server.close());
  const front = (protocol: keyof RackFronts, port: number): LabFrontOptions => ({
    ...{ server, faults: fault.faults, host: address.host, port },
    directory: privateDirectory(join(directory, protocol)),
    ...{ clock, random, log: log.child({ server: hardware.name, protocol }) },
  });
  const redfish = await deps.fronts.redfish(front('redfish', address.redfishPort));
  parts.defer(() => redfish.close());
  const ipmi = await deps.fronts.ipmi(front('ipmi', address.ipmiPort));
  parts.defer(() => ipmi.close());
  return { description, server, address, credentialsFile, fault: fault.faults.current };
};

const privateDirectory = (path: string): string => {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
};

const noServer = (name: string, known: readonly string[]) =>
  notFound('LAB_SERVER_NOT_FOUND', `The rack has no server "${name}"; it has ${known.join(', ')}`, {
    metadata: { name },
  });
