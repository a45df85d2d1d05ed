import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import {
  AgentService,
  type Command,
  type OpenChannel,
} from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { type Assignment, AssignmentSchema } from '../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { Clock } from '../runtime/clock.ts';
import { failedPrecondition } from '../runtime/errors.ts';
import type { Logger } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import { createGrpcJsTransport } from '../runtime/rpc/grpc-js-transport.ts';
import type { BmcDriver } from './bmc-port.ts';
import { type BmcRole, createBmcRole } from './bmc-role.ts';
import { serveChannel } from './channel.ts';
import { type Enrolment, type EnrolmentOptions, enrol } from './enrolment.ts';
import { readHostFacts } from './host-facts.ts';
import { openJournal } from './journal.ts';
import { createLiveness, type Liveness } from './liveness.ts';
import type { GuestDriver } from './ports.ts';
import type { ConsoleSource, Role } from './role.ts';
import { createSession } from './session.ts';
import { createVmRole, type RoleDeps } from './vm-role.ts';
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
  /** How guests run here; empty without the role vm. */
  readonly accelerator: { readonly name: string; readonly reason: string };
  /** Absent: vm. */
  readonly roles?: readonly AgentRoleName[];
  readonly version: string;
};

export type AgentRoleName = Role['name'];

export type AgentDeps = {
  /** Needed for the role vm. */
  readonly driver?: GuestDriver;
  /** Needed for the role bmc. */
  readonly bmcDrivers?: readonly BmcDriver[];
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
      if (stopWithinMs !== undefined) await deps.driver?.stopAll(stopWithinMs);
      await deps.driver?.close();
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
  const { clock, random, log } = deps;
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });
  const identity = join(config.stateDir, 'identity');
  const enrolment = await enrol({ ...config.enrolment, directory: identity }, deps);
  const journal = openJournal(join(config.stateDir, 'journal.sqlite'), random);
  atEnd(() => journal.close());
  const reporter = createReporter({ journal, clock });
  const transport = createGrpcJsTransport({ addresses: config.addresses, tls: enrolment.tls });
  atEnd(() => transport.close());
  const client = createClient(AgentService, transport);
  const liveness = createLiveness(clock, signal);
  const roleDeps = { client, journal, reporter, clock, random, log, signal };
  const { roles, bmc } = await createRoles(starting, roleDeps, liveness);
  for (const role of roles) atEnd((options) => role.stop(options));
  enrolment.keepRenewed(signal).catch((error: unknown) => {
    log.error({ err: error }, 'certificate renewal ended');
  });
  const running = runSession({ ...starting, ...roleDeps, roles, bmc, enrolment, liveness });
  atEnd(() => running);
  for (const role of roles) role.pokeAll();
};

type Roles = { readonly roles: readonly Role[]; readonly bmc: BmcRole | undefined };

const createRoles = async (
  { config, deps }: Starting,
  roleDeps: RoleDeps,
  liveness: Liveness,
): Promise<Roles> => {
  const names = config.roles ?? ['vm'];
  const { stateDir, phoneHome, guestGateway, accelerator } = config;
  const isServers = (assignment: Assignment): boolean =>
    names.includes('bmc') && isOfServer(roleDeps, assignment, names.includes('vm'));
  const bmc = names.includes('bmc')
    ? createBmcRole(
        { stateDir, drivers: deps.bmcDrivers ?? [], owns: isServers, liveness },
        roleDeps,
      )
    : undefined;
  if (!names.includes('vm')) return { roles: bmc ? [bmc] : [], bmc };
  if (!deps.driver) {
    throw failedPrecondition('INVALID_FIELD', 'The role vm needs a driver for guests');
  }
  const emulated = accelerator.name !== 'kvm';
  const owns = (assignment: Assignment) => !isServers(assignment);
  const options = { stateDir, phoneHome, guestGateway, emulated, owns };
  const vm = await createVmRole(options, deps.driver, roleDeps);
  return { roles: bmc ? [vm, bmc] : [vm], bmc };
};

/** What is to be absent does not say what it was: a server is known by its controller. */
const isOfServer = (
  { journal }: RoleDeps,
  { uid, content }: Assignment,
  hasGuests: boolean,
): boolean => {
  if (content.case === 'server' || content.case === 'moved') return true;
  if (content.case !== 'absent') return false;
  return (
    !hasGuests || content.value.controller !== undefined || journal.bmc.server(uid) !== undefined
  );
};

type SessionParts = Starting &
  RoleDeps &
  Roles & {
    readonly enrolment: Enrolment;
    readonly liveness: Liveness;
  };

const runSession = (parts: SessionParts): Promise<void> => {
  const { config, deps, signal, roles, reporter, client, journal, liveness } = parts;
  let mayRejoin = true;
  const session = createSession({
    client,
    journal,
    clock: deps.clock,
    random: deps.random,
    log: deps.log,
    version: config.version,
    roles: roles.map(({ name }) => name),
    instanceId: deps.random.requestId(),
    host: () => readHostFacts(config.stateDir, config.accelerator),
    assigned: (assignment) => {
      for (const role of roles) if (role.owns(assignment)) role.poke(assignment.uid);
    },
    synced: (orphans) => {
      reporter.tellAgain();
      for (const role of roles) role.synced(orphans);
      liveness.synced();
      for (const role of roles) role.pokeAll();
    },
    command: commandTaker(parts),
    heard: liveness.heard,
    connected: (now) => {
      if (now) {
        mayRejoin = false;
        liveness.began();
      } else liveness.ended();
      parts.connected(now);
    },
    revoked: () => afterRevocation(parts, mayRejoin),
  });
  reporter.onReport(session.nudge);
  return session.run(signal);
};

const commandTaker = (parts: SessionParts): ((command: Command) => void) => {
  const { client, journal, reporter, bmc, roles, log, signal } = parts;
  let channels = 0;
  return ({ id, order, validFor }) => {
    if (order.case === 'bmc' && bmc) {
      const validForMs = validFor === undefined ? 0 : durationMs(validFor);
      bmc.order({ id, validForMs, order: order.value });
      return;
    }
    if (!journal.beginCommand(id)) return;
    const channel = order.case === 'openChannel' ? order.value : undefined;
    const source = channel && sourceFor(parts, channel, roles);
    if (channel === undefined || source === undefined || channels >= CHANNELS_MAX) {
      const reason = order.case === 'bmc' ? 'BMC_UNSUPPORTED' : 'CONSOLE_UNAVAILABLE';
      reporter.commandDone({ id, reason, message: 'not served here now' });
      return;
    }
    channels += 1;
    serveChannel({ client, source, log }, channel, signal)
      .catch((error: unknown) => log.warn({ err: error }, 'a console channel failed'))
      .finally(() => {
        channels -= 1;
      });
  };
};

/** The console is where the object is. */
const sourceFor = (
  { journal }: SessionParts,
  order: OpenChannel,
  roles: readonly Role[],
): ConsoleSource | undefined => {
  const held = journal.find(order.targetUid);
  const assignment = held && fromBinary(AssignmentSchema, held.bytes);
  const isServers = assignment
    ? assignment.content.case === 'server'
    : order.controller !== undefined;
  const wanted = roles.find(({ name }) => (name === 'bmc') === isServers) ?? roles[0];
  return wanted?.consoleFor(order);
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
