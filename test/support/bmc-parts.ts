import { join } from 'node:path';
import { create, fromBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  GetSecretResponseSchema,
  SessionRequestSchema,
} from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { type Controller, ControllerSchema } from '../../gen/runmachine/agent/v1/bmc_pb.ts';
import type { CommandResult, Observation } from '../../gen/runmachine/agent/v1/report_pb.ts';
import { createBmcSessions } from '../../services/agent/bmc/bmc-sessions.ts';
import { controllerRef } from '../../services/agent/bmc/controller-ref.ts';
import { createControllers } from '../../services/agent/bmc/controllers.ts';
import { createCredentials } from '../../services/agent/bmc/credentials.ts';
import { openSealer } from '../../services/agent/bmc/sealed-secrets.ts';
import { createSerialConsoles } from '../../services/agent/bmc/serial-consoles.ts';
import type { BmcDriver } from '../../services/agent/bmc-port.ts';
import { type Journal, openJournal } from '../../services/agent/journal.ts';
import { createReporter } from '../../services/agent/work/reporter.ts';
import { type Clock, systemClock } from '../../services/runtime/clock.ts';
import { silentLog } from '../../services/runtime/log.ts';
import { type Random, systemRandom } from '../../services/runtime/random.ts';
import { type MemoryBmc, memoryBmc, memoryDriver } from '../fakes/memory-bmc.ts';

export const SECRET = 'projects/site/secrets/bmc';
export const PROVIDER = 'partitions/lab/providers/r1u1';

/** What the control plane knows of secrets; `isReachable` false = the site is cut off. */
export type SecretStore = {
  isReachable: boolean;
  asked: number;
  readonly values: Map<
    string,
    { generation: bigint; data: Record<string, string>; stagedData: Record<string, string> }
  >;
};

export const secretStore = (): SecretStore => ({
  isReachable: true,
  asked: 0,
  values: new Map([
    [SECRET, { generation: 1n, data: { user: 'admin', password: 'secret' }, stagedData: {} }],
  ]),
});

const clientOf = (store: SecretStore): Parameters<typeof createCredentials>[0]['client'] => ({
  getSecret: async ({ name = '' }) => {
    store.asked += 1;
    if (!store.isReachable) throw new ConnectError('the site is cut off', Code.Unavailable);
    const found = store.values.get(name);
    if (!found) throw new ConnectError('there is none', Code.NotFound);
    return create(GetSecretResponseSchema, found);
  },
});

export type BmcParts = ReturnType<typeof bmcParts>;

export type PartsOptions = {
  readonly directory: string;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly bmcs?: ReadonlyMap<string, MemoryBmc>;
  readonly drivers?: readonly BmcDriver[];
  readonly secrets?: SecretStore;
};

/** The parts of an agent with role bmc, put together as bmc-role.ts does, without a session. */
export const bmcParts = (options: PartsOptions) => {
  const { directory, clock = systemClock, random = systemRandom } = options;
  const secrets = options.secrets ?? secretStore();
  const bmcs = options.bmcs ?? new Map([['bmc-1', memoryBmc()]]);
  const drivers = options.drivers ?? [memoryDriver(bmcs)];
  const log = silentLog();
  const journal = openJournal(join(directory, 'journal.sqlite'), random);
  const sealer = openSealer(join(directory, 'secrets.key'), random);
  const credentials = createCredentials({
    client: clientOf(secrets),
    journal: journal.bmc,
    sealer,
    clock,
    log,
  });
  const sessions = createBmcSessions({ drivers, credentials, clock, log });
  const controllers = createControllers({ sessions, clock, log });
  const consoles = createSerialConsoles({
    directory: join(directory, 'consoles'),
    ...{ controllers, sessions, clock, log },
  });
  const reporter = createReporter({ journal, clock });
  return {
    ...{ secrets, bmcs, drivers, journal, sealer, credentials, sessions, controllers, consoles },
    ...{ reporter, clock, random, log },
  };
};

export const controllerAt = (address: string): Controller =>
  create(ControllerSchema, { address, secret: SECRET });

export const refAt = (address: string) => controllerRef(controllerAt(address), PROVIDER);

const requests = (journal: Journal) =>
  journal.reportsAfter(0n, 10_000).map(({ bytes }) => fromBinary(SessionRequestSchema, bytes));

export const resultsIn = (journal: Journal): CommandResult[] =>
  requests(journal).flatMap(({ content }) =>
    content.case === 'commandResult' ? [content.value] : [],
  );

export const observationIn = (journal: Journal): Observation | undefined =>
  requests(journal)
    .flatMap(({ content }) => (content.case === 'observation' ? [content.value] : []))
    .at(-1);
