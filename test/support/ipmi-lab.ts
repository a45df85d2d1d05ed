import { createFaultSwitch } from '../../deploy/lab/fault-switch.ts';
import { startIpmiFrontWith } from '../../deploy/lab/ipmi/ipmi-front.ts';
import { type Personality, PLAIN } from '../../deploy/lab/ipmi/personality.ts';
import { labHardware } from '../../deploy/lab/lab-hardware.ts';
import type { LabFault, LabHardware, LabServer } from '../../deploy/lab/server-port.ts';
import { createSimulatedMachine } from '../../deploy/lab/simulated-machine.ts';
import { createLabServer } from '../../deploy/lab/simulated-server.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { systemRandom as random } from '../../services/runtime/random.ts';
import { freeUdpPort } from './free-port.ts';
import { silentLog } from './silent-log.ts';
import { temporaryDir } from './temporary-dir.ts';

/** A virtual server behind a controller that speaks IPMI on loopback. */
export type IpmiLab = {
  /** "127.0.0.1:port" */
  readonly address: string;
  readonly port: number;
  readonly server: LabServer;
  readonly fault: (fault: LabFault | undefined) => void;
  /** How often the controller looked whether something is wrong with it: twice a command. */
  readonly looks: () => number;
  /** How often somebody could not sign in. */
  readonly refusals: () => number;
  /** The controller ends, and another one begins that knows no session. */
  readonly restart: () => Promise<void>;
} & AsyncDisposable;

export const LAB_CREDENTIALS = { user: 'admin', password: 'lab-secret' } as const;

const DELAYS = { turnOnMs: 20, turnOffMs: 20, cycleOffMs: 50 };

/** What is different from an ordinary one. */
export type IpmiLabOptions = {
  readonly personality?: Partial<Personality>;
  readonly hardware?: Partial<LabHardware>;
  /** Its address on loopback. */
  readonly host?: string;
};

export const startIpmiLab = async (options: IpmiLabOptions = {}): Promise<IpmiLab> => {
  await using cleanup = new AsyncDisposableStack();
  const dir = cleanup.use(temporaryDir());
  const { host = '127.0.0.1' } = options;
  const hardware = { ...labHardware('r1u1'), ...options.hardware };
  const server = createLabServer({
    ...{ hardware, clock, random },
    machine: createSimulatedMachine({ hardware, clock, bootStepMs: 20 }),
    accounts: [{ ...LAB_CREDENTIALS, slot: 2, enabled: true, privilege: 'administrator' }],
    delays: DELAYS,
  });
  cleanup.defer(() => server.close());
  const fault = createFaultSwitch();
  let looks = 0;
  const current = () => {
    looks += 1;
    return fault.faults.current();
  };
  const start = (port: number) =>
    startIpmiFrontWith(
      {
        ...{ server, faults: { current }, host, port, directory: dir.path },
        ...{ clock, random, log: silentLog },
      },
      { ...PLAIN, ...options.personality },
    );
  // Kept over a restart, when nobody else may get it.
  const port = await freeUdpPort();
  let front = await start(port);
  cleanup.defer(() => front.close());
  const owned = cleanup.move();
  return {
    ...{ address: `${host}:${port}`, port, server, fault: fault.set, looks: () => looks },
    refusals: () => server.log().filter(({ message }) => message.startsWith('Sign-in')).length,
    restart: async () => {
      await front.close();
      front = await start(port);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
};
