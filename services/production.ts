import { readFile } from 'node:fs/promises';
import { agentDownloads } from './agent-downloads.ts';
import { type Assembly, createAssembly } from './assemble.ts';
import type { ServiceName } from './contract.ts';
import { systemClock } from './runtime/clock.ts';
import type { ConfigOf } from './runtime/config-settings.ts';
import { failedPrecondition, invalidArgument } from './runtime/errors.ts';
import { createLog, type Logger } from './runtime/log.ts';
import { openLogFile } from './runtime/log-file.ts';
import { toggleDebugOnSignal } from './runtime/log-level-signal.ts';
import { type Component, runProcess } from './runtime/process.ts';
import { systemRandom } from './runtime/random.ts';
import type { Downloads } from './runtime/rpc/downloads.ts';
import type { RunningService } from './runtime/service.ts';
import { tlsFromFiles } from './runtime/tls.ts';
import type { SETTINGS } from './settings.ts';
import { openEtcdCoordination } from './store/coordination/etcd/open.ts';
import type { Coordination } from './store/coordination/port.ts';

export type Config = ConfigOf<typeof SETTINGS>;

const DEPS = { clock: systemClock, random: systemRandom };

/** Runs these services until SIGTERM; resolves to the exit code. */
export const runServices = async (
  config: Config,
  services: readonly ServiceName[],
  version: string,
): Promise<number> => {
  const log = logOf(config, services);
  const ended = new AbortController();
  const watch = { ...DEPS, log, signal: ended.signal };
  const coordination = await openEtcd(config, log);
  const mtls = {
    listen: { host: config.mtls.address, port: config.mtls.port },
    tls: await tlsFromFiles(config.mtls, watch),
  };
  const people =
    config.people.address === ''
      ? undefined
      : {
          listen: { host: config.people.address, port: config.people.port },
          tls: await tlsFromFiles({ ...config.people, caFile: config.mtls.caFile }, watch),
          ...(await downloadsOf(config)),
        };
  const url = await sqlUrl(config);
  const assembly = createAssembly({
    ...DEPS,
    log,
    cluster: config.cluster,
    services,
    replica: {
      id: config.replica === '' ? systemRandom.uid() : config.replica,
      address: config.mtls.advertise || `${config.mtls.address}:${config.mtls.port}`,
    },
    coordination,
    sqlUrl: () => url,
    people,
    mtls,
    origins: config.people.origins,
    noticeMs: config.drainNotice,
    version,
  });
  const make = factories(config, assembly);
  for (const name of services) assembly.add(name, await make[name]());
  const storeEnds: Component = {
    name: 'coordination',
    start: async () => undefined,
    stop: () => coordination.close(),
  };
  using _debug = toggleDebugOnSignal(assembly.loggers);
  const code = await runProcess(
    { ...DEPS, log },
    {
      components: [storeEnds, ...assembly.components()],
      onStarted: () => log.info({ services }, 'serving'),
    },
  );
  ended.abort();
  return code;
};

const downloadsOf = async ({
  agents,
  mtls,
}: Config): Promise<{ readonly downloads?: Downloads }> => {
  const { bundleDir: directory, machineAddresses } = agents;
  if (directory === '') return {};
  const ca = await readFile(mtls.caFile, 'utf8');
  const where = { machineAddresses, machinePort: mtls.port };
  return { downloads: agentDownloads({ directory, caPem: () => ca, ...where }) };
};

/** Loaded when asked for: a process does not carry the code of services that run elsewhere. */
const factories = (
  config: Config,
  { depsOf }: Assembly,
): Readonly<Record<ServiceName, () => Promise<RunningService>>> => ({
  metadata: async () => {
    const { createMetadataService } = await import('./metadata/main.ts');
    const { masterKeyFile, bootstrapTokenFile } = config;
    return createMetadataService(
      depsOf('metadata', {
        masterKeyFile: needed(masterKeyFile, 'master_key_file'),
        createMasterKey: false,
        ...(bootstrapTokenFile === '' ? {} : { bootstrapTokenFile }),
      }),
    );
  },
  inventory: async () => {
    const { createInventoryService } = await import('./inventory/main.ts');
    return createInventoryService(depsOf('inventory', {}));
  },
  scheduler: async () => {
    const { createSchedulerService } = await import('./scheduler/main.ts');
    return createSchedulerService(depsOf('scheduler', {}));
  },
  machine: async () => {
    const { createMachineService } = await import('./machine/main.ts');
    const { timeout, ...cleaning } = config.cleaning;
    return createMachineService(
      depsOf('machine', {
        sinks: config.events,
        cleaning: { ...cleaning, timeoutMs: timeout },
      }),
    );
  },
});

export const logOf = (config: Config, services: readonly string[]): Logger => {
  const { level, file } = config.log;
  const name = services.join('+');
  return file === ''
    ? createLog({ name, level })
    : createLog({ name, level, destination: openLogFile({ file }) });
};

const openEtcd = async (config: Config, log: Logger): Promise<Coordination> => {
  const { endpoints, caFile, certificateFile, keyFile, prefix, callTimeout } = config.etcd;
  if (endpoints.length === 0) {
    throw invalidArgument('INVALID_FIELD', '"etcd.endpoints" is empty; name every etcd member');
  }
  return openEtcdCoordination({
    ...DEPS,
    log,
    endpoints,
    prefix,
    callTimeoutMs: callTimeout,
    ...(caFile === ''
      ? {}
      : {
          tls: {
            ca: await readFile(caFile),
            cert: await readFile(certificateFile),
            key: await readFile(keyFile),
          },
        }),
  });
};

/**
 * The URL holds a password, so it lies in a file and never in a configuration that people show each
 * other.
 */
export const sqlUrl = async (config: Config): Promise<string> => {
  const file = needed(config.sql.urlFile, 'sql.url_file');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw failedPrecondition('STORE_REFUSED', `Cannot read "sql.url_file" ${file}`, { cause });
  }
};

export const needed = (value: string, key: string): string => {
  if (value !== '') return value;
  throw invalidArgument(
    'INVALID_FIELD',
    `"${key}" is empty; see \`node services/main.ts defaults\``,
  );
};
