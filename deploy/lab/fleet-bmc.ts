import type { Clock } from '../../services/runtime/clock.ts';
import type { Random } from '../../services/runtime/random.ts';
import { administratorOf, type LabCredentials } from './credentials.ts';
import { createFaultSwitch, type FaultSwitch } from './fault-switch.ts';
import { faultyServer } from './faulty-server.ts';
import { createController } from './ipmi/controller.ts';
import { withWireFaults } from './ipmi/ipmi-front.ts';
import { labHardware } from './lab-hardware.ts';
import { createRedfishService } from './redfish/service.ts';
import { createWire } from './redfish/wire.ts';
import type { LabFault } from './server-port.ts';
import { createSimulatedMachine } from './simulated-machine.ts';
import { createLabServer, type OwnedLabServer } from './simulated-server.ts';

/** One of thousands of controllers: a simulated server, and the protocols without their sockets. */
export type FleetBmc = {
  readonly server: OwnedLabServer;
  readonly fault: FaultSwitch;
  readonly redfish: ReturnType<typeof createWire>;
  readonly ipmi: ReturnType<typeof withWireFaults>;
  readonly close: () => Promise<void>;
};

export type FleetBmcDeps = {
  readonly name: string;
  readonly credentials: LabCredentials;
  readonly fault: LabFault | undefined;
  readonly ipmiPort: number;
  readonly clock: Clock;
  readonly random: Random;
};

/** Nobody looks at the boot of one of thousands. */
const BOOT_STEP_MS = 50;

export const createFleetBmc = (deps: FleetBmcDeps): FleetBmc => {
  const { name, credentials, clock, random } = deps;
  const hardware = labHardware(name, 'fleet');
  const fault = createFaultSwitch();
  fault.set(deps.fault);
  const { faults } = fault;
  const server = createLabServer({
    ...{ hardware, clock, random, accounts: [administratorOf(credentials)] },
    machine: createSimulatedMachine({ hardware, clock, bootStepMs: BOOT_STEP_MS }),
  });
  const seen = faultyServer(server, faults);
  const service = createRedfishService({ server: seen, clock, random });
  const controller = createController({
    ...{ clock, random, server: seen, port: deps.ipmiPort },
    isBusy: () => faults.current() === '503',
  });
  return {
    ...{ server, fault },
    redfish: createWire({ service, faults, clock }),
    ipmi: withWireFaults({ clock, faults, controller }),
    close: async () => {
      service.close();
      await server.close();
    },
  };
};
