import type { ExecutionContext } from 'ava';
import { faultyServer } from '../../deploy/lab/faulty-server.ts';
import { labHardware } from '../../deploy/lab/lab-hardware.ts';
import {
  certificateSha256,
  type LabCertificate,
  makeCertificate,
} from '../../deploy/lab/redfish/certificate.ts';
import { type RedfishServer, startRedfishServer } from '../../deploy/lab/redfish/http-server.ts';
import type { LabRequest } from '../../deploy/lab/redfish/message.ts';
import type { Personality } from '../../deploy/lab/redfish/personality.ts';
import { createRedfishService, type RedfishService } from '../../deploy/lab/redfish/service.ts';
import type { WireFault } from '../../deploy/lab/redfish/wire.ts';
import type { LabFault, LabHardware, LabServer } from '../../deploy/lab/server-port.ts';
import { createSimulatedMachine } from '../../deploy/lab/simulated-machine.ts';
import { createLabServer } from '../../deploy/lab/simulated-server.ts';
import type { Bmc, BmcAddress, BmcCredentials } from '../../services/agent/bmc-port.ts';
import { createRedfishDriver } from '../../services/agent/drivers/redfish/driver.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { systemRandom } from '../../services/runtime/random.ts';

export const USER: BmcCredentials = { user: 'operations', password: 'a-long-secret' };

export type RedfishLab = {
  readonly server: LabServer;
  readonly service: RedfishService;
  readonly http: RedfishServer;
  readonly address: BmcAddress;
  readonly certificate: LabCertificate;
  /** Undefined ends it. */
  readonly setFault: (fault: LabFault | WireFault | undefined) => void;
  /** All that came in so far. */
  readonly heard: readonly LabRequest[];
  readonly open: (credentials?: BmcCredentials) => Promise<Bmc>;
};

export type RedfishLabOptions = {
  readonly personality?: Personality;
  /** What differs from the lab's usual server. */
  readonly hardware?: Partial<LabHardware>;
  /** http:// and no certificate. */
  readonly plain?: boolean;
  /** Where it listens; absent: anywhere. Who listens there again later gives one of freePort. */
  readonly port?: number;
  readonly sessionTimeoutSeconds?: number;
  readonly sessionsMax?: number;
  readonly elsewhere?: string;
  readonly settleMs?: number;
  /** Before each request is answered. */
  readonly onRequest?: (request: LabRequest, server: LabServer) => void;
};

/** A server that boots in a blink. */
export const quickLabServer = (made: Partial<LabHardware> = {}): LabServer => {
  const hardware = { ...labHardware('r1u1'), ...made };
  const machine = createSimulatedMachine({ hardware, clock: systemClock, bootStepMs: 5 });
  return createLabServer({
    ...{ hardware, machine, clock: systemClock, random: systemRandom },
    accounts: [{ slot: 2, ...USER, enabled: true, privilege: 'administrator' }],
    delays: { turnOnMs: 20, turnOffMs: 20, cycleOffMs: 20 },
  });
};

export const LIMIT_MS = 60_000;
export const inTime = (): AbortSignal => AbortSignal.timeout(LIMIT_MS);

/** One virtual server behind Redfish, until the test ends. */
export const redfishLab = async (
  t: ExecutionContext<unknown>,
  options: RedfishLabOptions = {},
): Promise<RedfishLab> => {
  let fault: LabFault | WireFault | undefined;
  const bare = quickLabServer(options.hardware);
  const faults = { current: () => fault };
  const isOfServer = (one: typeof fault): one is LabFault =>
    one !== 'half-json' && one !== 'huge' && one !== 'elsewhere';
  const server = faultyServer(bare, { current: () => (isOfServer(fault) ? fault : undefined) });
  const service = createRedfishService({
    ...{ server, clock: systemClock, random: systemRandom },
    ...options,
  });
  const certificate = await makeCertificate('127.0.0.1', systemClock);
  const heard: LabRequest[] = [];
  const http = await startRedfishServer({
    ...{ service, faults, clock: systemClock, host: '127.0.0.1', port: options.port ?? 0 },
    ...(options.plain === true ? {} : { certificate }),
    elsewhere: options.elsewhere ?? 'https://127.0.0.2/',
    heard: (request) => {
      heard.push(request);
      options.onRequest?.(request, bare);
    },
  });
  const address: BmcAddress = {
    address: http.url,
    provider: 'r1u1',
    certificateSha256: options.plain === true ? '' : certificateSha256(certificate),
  };
  const driver = createRedfishDriver({ clock: systemClock, settleMs: options.settleMs ?? 5_000 });
  const opened: Bmc[] = [];
  t.teardown(async () => {
    fault = undefined;
    for (const bmc of opened) await bmc.close(AbortSignal.timeout(1_000));
    service.close();
    await http.close();
    await bare.close();
  });
  return {
    ...{ server: bare, service, http, address, certificate, heard },
    setFault: (next) => {
      fault = next;
    },
    open: async (credentials = USER) => {
      const bmc = await driver.open(address, credentials, inTime());
      opened.push(bmc);
      return bmc;
    },
  };
};

/** The aspect where it is offered; else the test fails with the reason. */
export const offered = <T>(
  offer: { kind: 'offered'; aspect: T } | { kind: 'not_offered'; why: string },
): T => {
  if (offer.kind === 'offered') return offer.aspect;
  throw new Error(`it is not offered: ${offer.why}`);
};
