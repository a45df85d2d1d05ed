import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@connectrpc/connect';
import { AgentService } from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import { createGrpcJsTransport } from '../runtime/rpc/grpc-js-transport.ts';
import { createArtifacts } from './artifacts.ts';
import { serveChannel } from './channel.ts';
import { type Enrolment, type EnrolmentOptions, enrol } from './enrolment.ts';
import { readHostFacts } from './host-facts.ts';
import { openJournal } from './journal.ts';
import { listenPhoneHome } from './phone-home.ts';
import type { GuestDriver } from './ports.ts';
import { createSession } from './session.ts';
import { createGuestKeeper, type GuestKeeper } from './work/guest-keeper.ts';
import { createReporter } from './work/reporter.ts';

export type AgentConfig = {
  /** Journal, fetched files and certificate lie here. */
  readonly stateDir: string;
  /** Addresses "host:port" of the mTLS listeners of the machine service. */
  readonly addresses: () => readonly string[];
  readonly enrolment: Omit<EnrolmentOptions, 'directory'>;
  readonly phoneHome: { readonly address: string; readonly port: number };
  /** Host as a guest reaches it; 10.0.2.2 in user-mode networking. */
  readonly guestGateway: string;
  readonly accelerator: { readonly name: string; readonly reason: string };
  readonly version: string;
};

export type AgentDeps = {
  readonly driver: GuestDriver;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

export type Agent = {
  /** Resolves once it is enrolled, listens for guests and dials. */
  readonly start: () => Promise<void>;
  /** Ends the session; guests go on unless `guests` says to stop them. */
  readonly stop: (guests: { readonly stopWithinMs?: number }) => Promise<void>;
  readonly isConnected: () => boolean;
};

type CleanupStep = (options: { readonly hostStops: boolean }) => Promise<void> | void;

const CHANNELS_MAX = 64;

export const createAgent = (config: AgentConfig, deps: AgentDeps): Agent => {
  const ended = new AbortController();
  const cleanup: CleanupStep[] = [];
  let connected = false;
  return {
    isConnected: () => connected,
    start: () =>
      startAgent({
        config,
        deps,
        signal: ended.signal,
        atEnd: (step) => cleanup.push(step),
        connected: (now) => {
          connected = now;
        },
      }),
    stop: async ({ stopWithinMs }) => {
      ended.abort();
      // Keepers stop first, so that nothing starts again what is being stopped here.
      for (const step of cleanup.toReversed())
        await step({ hostStops: stopWithinMs !== undefined });
      if (stopWithinMs !== undefined) await deps.driver.stopAll(stopWithinMs);
      await deps.driver.close();
    },
  };
};

type Starting = {
  readonly config: AgentConfig;
  readonly deps: AgentDeps;
  readonly signal: AbortSignal;
  readonly atEnd: (step: CleanupStep) => void;
  readonly connected: (now: boolean) => void;
};

const startAgent = async (starting: Starting): Promise<void> => {
  const { config, deps, signal, atEnd } = starting;
  const { clock, random, log, driver } = deps;
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  const identity = join(config.stateDir, 'identity');
  const enrolment = await enrol({ ...config.enrolment, directory: identity }, deps);
  const journal = openJournal(join(config.stateDir, 'journal.sqlite'), random);
  atEnd(() => journal.close());
  const reporter = createReporter({ journal, clock });
  const transport = createGrpcJsTransport({ addresses: config.addresses, tls: enrolment.tls });
  atEnd(() => transport.close());
  const client = createClient(AgentService, transport);
  const directory = join(config.stateDir, 'files');
  const artifacts = createArtifacts({ directory, client: () => client, log });
  let keeper: GuestKeeper | undefined;
  const listener = await listenPhoneHome({
    ...config.phoneHome,
    accept: (hash, report) => keeper?.phonedHome(hash, report) ?? false,
    log,
  });
  atEnd(() => {
    listener.server.close();
    listener.server.closeAllConnections();
  });
  keeper = createGuestKeeper({
    journal,
    driver,
    artifacts,
    reporter,
    phoneHomeUrl: `http://${config.guestGateway}:${listener.port}/phone-home`,
    emulated: config.accelerator.name !== 'kvm',
    clock,
    random,
    log,
  });
  atEnd((options) => keeper?.stop(options));
  enrolment.keepRenewed(signal).catch((error: unknown) => {
    log.error({ err: error }, 'certificate renewal ended');
  });
  const running = runSession({ ...starting, keeper, reporter, client, journal, enrolment });
  atEnd(() => running);
  keeper.pokeAll();
};

type SessionParts = Starting & {
  readonly enrolment: Enrolment;
  readonly keeper: GuestKeeper;
  readonly reporter: ReturnType<typeof createReporter>;
  readonly client: Parameters<typeof createSession>[0]['client'];
  readonly journal: ReturnType<typeof openJournal>;
};

const runSession = (parts: SessionParts): Promise<void> => {
  const { config, deps, signal, keeper, reporter, client, journal } = parts;
  let channels = 0;
  let mayRejoin = true;
  const session = createSession({
    client,
    journal,
    clock: deps.clock,
    random: deps.random,
    log: deps.log,
    version: config.version,
    roles: ['vm'],
    instanceId: deps.random.requestId(),
    host: () => readHostFacts(config.stateDir, config.accelerator),
    assigned: (assignment) => {
      keeper.poke(assignment.uid);
    },
    synced: () => {
      reporter.tellAgain();
      keeper.pokeAll();
      tellOrphans(parts).catch((error: unknown) => {
        deps.log.warn({ err: error }, 'cannot look for orphans');
      });
    },
    command: ({ id, order }) => {
      if (!journal.beginCommand(id)) return;
      if (order.case !== 'openChannel' || channels >= CHANNELS_MAX) {
        reporter.commandDone({ id, reason: 'CONSOLE_UNAVAILABLE', message: 'not served here now' });
        return;
      }
      channels += 1;
      serveChannel({ client, driver: deps.driver, log: deps.log }, order.value, signal)
        .catch((error: unknown) => deps.log.warn({ err: error }, 'a console channel failed'))
        .finally(() => {
          channels -= 1;
        });
    },
    connected: (now) => {
      if (now) mayRejoin = false;
      parts.connected(now);
    },
    revoked: () => afterRevocation(parts, mayRejoin),
  });
  reporter.onReport(session.nudge);
  return session.run(signal);
};

/**
 * One that is revoked while it runs stays out. One that is started revoked was started by somebody:
 * it joins again where there is a new token.
 */
const afterRevocation = async (
  { deps: { log }, enrolment }: SessionParts,
  mayRejoin: boolean,
): Promise<void> => {
  if (!mayRejoin) {
    log.warn('the certificate was revoked; with a new join token the next start joins again');
    return;
  }
  try {
    await enrolment.rejoin();
  } catch (error) {
    log.warn({ err: error }, 'the certificate was revoked, and there is no new join token');
  }
};

/** Guests that nobody wants are told and kept: only an explicit absent destroys. */
const tellOrphans = async ({ keeper, reporter, signal }: SessionParts): Promise<void> => {
  for (const uid of await keeper.orphans(signal)) {
    reporter.happened({
      type: 'agent.orphan',
      uid: '',
      message: `guest ${uid} exists here and no assignment wants it; it is kept`,
      data: { uid },
      warning: true,
    });
  }
};
