import { join } from 'node:path';
import { type AgentDownloadOptions, agentDownloads } from './agent-downloads.ts';
import { createAssembly } from './assemble.ts';
import { SERVICE_NAMES } from './contract.ts';
import { createInventoryService } from './inventory/main.ts';
import { createMachineService } from './machine/main.ts';
import { NO_CLEANING } from './machine/work/cleaning-hook.ts';
import { createMetadataService, type MetadataService } from './metadata/main.ts';
import type { Clock } from './runtime/clock.ts';
import type { Logger } from './runtime/log.ts';
import { toggleDebugOnSignal } from './runtime/log-level-signal.ts';
import { startComponents } from './runtime/process.ts';
import type { Random } from './runtime/random.ts';
import type { Downloads } from './runtime/rpc/downloads.ts';
import type { Listen } from './runtime/rpc/mount.ts';
import { type MutableTls, tlsMaterial } from './runtime/tls.ts';
import { createSchedulerService } from './scheduler/main.ts';
import { openCoordinationThread } from './store/coordination/embedded/open-thread.ts';

/**
 * The embedded mode: all services in one process, records in SQLite files, coordination in the
 * embedded coordinator, calls between services in memory. One state directory belongs to one
 * process; the caller holds its lock.
 */
export type EmbeddedOptions = {
  readonly stateDir: string;
  readonly cluster: string;
  readonly people: Listen;
  readonly mtls: Listen;
  /**
   * Host names and addresses beside loopback that the listener for people has in its certificate.
   */
  readonly publicNames: readonly string[];
  /** Origins of web pages that may call. */
  readonly origins: readonly string[];
  readonly version: string;
  /** Where hosts that join find the agent; absent = nowhere. */
  readonly agentBundles?: Pick<AgentDownloadOptions, 'directory' | 'prepare'>;
  /** Cleans servers after claims, see settings.ts; absent = operators say when they are clean. */
  readonly cleaningCommand?: readonly string[];
  /** What it may take; absent = NO_CLEANING. Whoever was killed amid it waits that long for it. */
  readonly cleaningTimeoutMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

export type Embedded = {
  readonly caPem: string;
  /** SHA-256 of the CA certificate's DER in hexadecimal. */
  readonly caFingerprint: string;
  /** File (mode 0600) with a bearer token of user `admin`. */
  readonly adminTokenFile: string;
  readonly createJoinToken: MetadataService['createLocalJoinToken'];
  readonly stop: () => Promise<void>;
};

const RENEW_EVERY_MS = 24 * 3_600_000;

export const startEmbedded = async (options: EmbeddedOptions): Promise<Embedded> => {
  const { stateDir, clock, random, log } = options;
  const file = (name: string): string => join(stateDir, name);
  const coordination = await openCoordinationThread({
    file: file('coordination.sqlite'),
    clock,
    random,
    log,
  });
  const replica = { id: random.uid(), address: addressOf(options.mtls) };
  const people = tlsMaterial(NOTHING);
  const mtls = tlsMaterial(NOTHING);
  const assembly = createAssembly({
    ...options,
    services: SERVICE_NAMES,
    replica,
    coordination,
    sqlUrl: (service) => `sqlite:${file(`${service}.sqlite`)}`,
    people: { listen: options.people, tls: people, ...downloadsOf(options, people) },
    mtls: { listen: options.mtls, tls: mtls },
    noticeMs: 0,
  });
  const metadata = await createMetadataService(
    assembly.depsOf('metadata', {
      masterKeyFile: file('master.key'),
      createMasterKey: true,
    }),
  );
  await issue(options, metadata, { people, mtls });
  const adminTokenFile = file('admin.token');
  await metadata.ensureAdminToken(adminTokenFile);
  assembly.add('metadata', metadata);
  assembly.add('inventory', await createInventoryService(assembly.depsOf('inventory', {})));
  assembly.add('scheduler', await createSchedulerService(assembly.depsOf('scheduler', {})));
  const { cleaningCommand: command = [], cleaningTimeoutMs = NO_CLEANING.timeoutMs } = options;
  const machine = { cleaning: { ...NO_CLEANING, command, timeoutMs: cleaningTimeoutMs } };
  assembly.add('machine', await createMachineService(assembly.depsOf('machine', machine)));
  const running = await startComponents({ log, clock }, assembly.components());
  const debug = toggleDebugOnSignal(assembly.loggers);
  const renewal = new AbortController();
  keepIssued(options, metadata, { people, mtls, signal: renewal.signal });
  return {
    caPem: metadata.authority.caPem,
    caFingerprint: metadata.authority.caFingerprint,
    adminTokenFile,
    createJoinToken: metadata.createLocalJoinToken,
    stop: async () => {
      renewal.abort();
      debug[Symbol.dispose]();
      await running.stop();
      await coordination.close();
    },
  };
};

const downloadsOf = (
  { agentBundles, mtls }: EmbeddedOptions,
  people: MutableTls,
): { readonly downloads?: Downloads } => {
  if (agentBundles === undefined) return {};
  const caPem = () => people.current().ca;
  const where = { machineAddresses: [], machinePort: mtls.port };
  return { downloads: agentDownloads({ ...agentBundles, caPem, ...where }) };
};

const NOTHING = { ca: '', certificate: '', key: '' };
const LOOPBACK = { dnsNames: ['localhost'], addresses: ['127.0.0.1', '::1'] };

type Listeners = { readonly people: MutableTls; readonly mtls: MutableTls };

/**
 * The listeners' certificates live in memory only: each start, and each day, makes new ones of the
 * same CA.
 */
const issue = async (
  { publicNames }: EmbeddedOptions,
  { authority }: MetadataService,
  { people, mtls }: Listeners,
): Promise<void> => {
  const isAddress = (name: string): boolean => /^[\d.]+$|:/.test(name);
  const names = {
    dnsNames: [...LOOPBACK.dnsNames, ...publicNames.filter((name) => !isAddress(name))],
    addresses: [...LOOPBACK.addresses, ...publicNames.filter(isAddress)],
  };
  people.replace(await authority.issueServerCertificate(names));
  mtls.replace(await authority.issueServiceCertificate({ name: 'embedded', ...names }));
};

const keepIssued = (
  options: EmbeddedOptions,
  metadata: MetadataService,
  listeners: Listeners & { readonly signal: AbortSignal },
): void => {
  const work = async (): Promise<void> => {
    while (!listeners.signal.aborted) {
      await options.clock.sleep(RENEW_EVERY_MS, listeners.signal);
      await issue(options, metadata, listeners).catch((error: unknown) => {
        options.log.error({ err: error }, 'cannot renew the certificates of the listeners');
      });
    }
  };
  work().catch(() => undefined);
};

const addressOf = ({ host, port }: Listen): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
