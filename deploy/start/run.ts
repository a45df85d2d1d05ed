import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Embedded, startEmbedded } from '../../services/embedded.ts';
import { createPeopleTransport, type PeopleTransport } from '../../services/runtime/client.ts';
import { type Clock, systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import {
  type LockHolder,
  lockHolder,
  lockStateDir,
  type StateLock,
} from '../../services/runtime/lock-file.ts';
import { createLog, type Logger } from '../../services/runtime/log.ts';
import { openLogFile } from '../../services/runtime/log-file.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { buildLabLinux, type LabLinux } from '../images/lab-linux/build.ts';
import { CONTROL_SOCKET } from '../lab/lab-options.ts';
import { untilAborted } from '../until-aborted.ts';
import { agentBundlesIn } from './agent-bundles.ts';
import { awaitDemo, hasDemoMachine, runDemo } from './demo.ts';
import { enrolRack } from './enrol-rack.ts';
import {
  createHostAgent,
  type HostAgent,
  type HostAgentOptions,
  untilConnected,
} from './host-agent.ts';
import { ensureHostProvider, ensureLab, ensureLabImage, PARTITION } from './host-provider.ts';
import { type LabProcess, startLabProcess } from './lab-process.ts';
import { type StartOptions, StartRefused, stopCommand } from './options.ts';
import { choosePort, type PortPurpose } from './ports.ts';
import { readyBlock } from './ready-block.ts';
import { bundleCli, writeProfile, writeShim } from './shim.ts';
import { openStateDir, type StateDir, writeWhole } from './state-dir.ts';
import { type GuestTools, prepareGuestTools } from './tools.ts';
import { readVersion } from './version.ts';

type Session = {
  readonly options: StartOptions;
  readonly state: StateDir;
  readonly clock: Clock;
  readonly log: Logger;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
};

const GUESTS_STOP_MS = 7_000;
const ONE_CTRL_C_MS = 1_000;

/** Starts everything, shows that it works, and stays until it is told to stop. */
export const runInForeground = async (options: StartOptions): Promise<number> => {
  const state = openStateDir(options.stateDir);
  const lock = await takeLock(state);
  if (lock === undefined) return 0;
  const interrupt = new AbortController();
  let askedMs = 0;
  const onSignal = () => {
    // One Ctrl-C may come twice: from the terminal, and passed on by npm.
    const isRepeat =
      interrupt.signal.aborted && systemClock.monotonicMs() - askedMs < ONE_CTRL_C_MS;
    if (isRepeat) return;
    if (interrupt.signal.aborted) process.exit(130);
    askedMs = systemClock.monotonicMs();
    interrupt.abort(new StartRefused('interrupted', 'start again when you like'));
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const logFile = openLogFile({ file: state.file('runmachine.log') });
  const log = createLog({ name: 'runmachine', level: levelOf(process.env), destination: logFile });
  const session = { options, state, clock: systemClock, log, say, signal: interrupt.signal };
  await using parts = new AsyncDisposableStack();
  parts.defer(() => lock.release());
  parts.defer(() => logFile.flush());
  const onFatal = (error: unknown) => {
    log.fatal({ err: error }, 'unhandled; stopping');
    interrupt.abort(error);
  };
  process.on('unhandledRejection', onFatal).on('uncaughtException', onFatal);
  const started = await startAll(session, parts, lock);
  if (interrupt.signal.aborted) throw interrupt.signal.reason;
  if (options.check) {
    say('check: everything works; stopping');
    return 0;
  }
  say(readyBlock(started.ready));
  process.send?.({ ready: true });
  await untilAborted(interrupt.signal);
  say('\nstopping: guests are asked to power off (at most 8 s)');
  return interrupt.signal.reason instanceof StartRefused ? 0 : 1;
};

const say = (line: string): void => {
  console.log(line);
  process.send?.({ line });
};

const levelOf = (env: NodeJS.ProcessEnv) => (env.RUNM_LOG_LEVEL === 'debug' ? 'debug' : 'info');

const takeLock = async (state: StateDir): Promise<StateLock | undefined> => {
  try {
    return lockStateDir(state.path, 'starting');
  } catch (error) {
    if (!isDomainError(error, 'already_exists')) throw error;
    const holder = await livingHolder(state.path);
    say(`runmachine runs already on ${state.path} (process ${holder.pid})`);
    if (holder.note) say(holder.note);
    say(`\`${stopCommand(state.path)}\` ends it`);
    return undefined;
  }
};

const HOLDER_MS = 2_000;

/** Whoever has just taken the lock writes down a moment later who it is. */
const livingHolder = async (stateDir: string): Promise<LockHolder> => {
  const endMs = systemClock.monotonicMs() + HOLDER_MS;
  while (systemClock.monotonicMs() < endMs) {
    const holder = lockHolder(stateDir);
    if (holder !== undefined) return holder;
    await systemClock.sleep(50);
  }
  throw new StartRefused(
    `${stateDir} cannot be locked, and no process of this host holds it`,
    'a network file system may lack locks, or another host has it; give another --state-dir',
  );
};

type Started = { readonly ready: Parameters<typeof readyBlock>[0] };

const startAll = async (
  session: Session,
  parts: AsyncDisposableStack,
  lock: StateLock,
): Promise<Started> => {
  const { options, state, say: tell } = session;
  const ports = await choosePorts(session);
  const tools = await prepareGuestTools({
    toolsDir: toolsDirOf(state),
    installSystem: options.installSystem,
    log: tell,
    signal: session.signal,
  });
  const embedded = await startControlPlane(session, ports);
  parts.defer(() => embedded.stop());
  const endpoint = `https://${options.publicName ?? host(options.listen)}:${ports.people}`;
  const local = `https://${host(loopbackOf(options.listen))}:${ports.people}`;
  lock.describe(`it is reached at ${endpoint}`);
  const people = createPeopleTransport({
    endpoint: local,
    caPem: embedded.caPem,
    token: (await readFile(embedded.adminTokenFile, 'utf8')).trim(),
  });
  parts.defer(() => people.close());
  const caFile = state.file('ca.pem');
  writeWhole(caFile, embedded.caPem, 0o644);
  const binDir = writeShim(state.path);
  const bundling = bundleCli(state.path);
  parts.defer(() => bundling.stop());
  writeLocalProfile(session, { endpoint: local, caFile, tokenFile: embedded.adminTokenFile });
  await ensureLab(people.transport);
  const agent = await startHostAgent(session, parts, { tools, embedded, endpoint: local, ports });
  const guests = await startGuests(session, { tools, host: agent, people });
  const rack = await startRackOfLab(session, parts, { tools, host: agent, people });
  return {
    ready: {
      endpoint,
      caFile,
      caFingerprint: embedded.caFingerprint,
      tokenFile: embedded.adminTokenFile,
      logFile: state.file('runmachine.log'),
      binDir,
      accelerator: guests.accelerator,
      machine: guests.hasDemo ? 'running' : 'none',
      lab: rack.lab?.status,
      warnings: [...guests.warnings, ...rack.warnings],
      stopCommand:
        process.env.RUNM_START_IN_BACKGROUND === '1' ? stopCommand(state.path) : undefined,
    },
  };
};

const writeLocalProfile = (
  { options, state }: Session,
  reached: { readonly endpoint: string; readonly caFile: string; readonly tokenFile: string },
): void => {
  writeProfile('local', {
    // Here it is reached over loopback, whatever name others use.
    ...reached,
    partition: 'lab',
    project: 'default',
    ...(options.lab ? { labSocket: join(state.runtimeDir, CONTROL_SOCKET) } : {}),
  });
};

const toolsDirOf = (state: StateDir): string => process.env.RUNM_TOOLS_DIR ?? state.file('tools');

type RackOfLab = { readonly lab?: LabProcess; readonly warnings: readonly string[] };

/** After the virtual machines of this host, whose trial of qemu and whose image it uses. */
const startRackOfLab = async (
  session: Session,
  parts: AsyncDisposableStack,
  { tools, host: { id }, people }: GuestParts,
): Promise<RackOfLab> => {
  const { options, state, clock, log, signal } = session;
  if (!options.lab) return { warnings: [] };
  const outcome = await startLabProcess({
    ...{ state, clock, log, signal, toolsDir: toolsDirOf(state) },
    simulated: tools.kind === 'missing' ? `without ${tools.names}` : undefined,
  });
  if (outcome.kind === 'refused') {
    const why = `the lab does not run: ${outcome.why}`;
    if (options.check) throw new StartRefused(why, `look into ${state.file('lab/lab.log')}`);
    return { warnings: [why] };
  }
  const { lab } = outcome;
  // Beside the guests of this host and not after them: both have seconds to power off.
  signal.addEventListener('abort', () => void lab.stop(), { once: true });
  parts.defer(() => lab.stop());
  const refused = await enrolRack(people.transport, {
    status: lab.status,
    agents: [`${PARTITION}/agents/${id}`],
    file: state.file('lab/fleet.yaml'),
  });
  return { lab, warnings: refused.map((why) => `not recorded as a provider: ${why}`) };
};

type Ports = Readonly<Record<PortPurpose, number>>;

const choosePorts = async ({ options, state, say: tell }: Session): Promise<Ports> => {
  const remembered = state.readJson<Ports>('ports.json');
  const choose = (purpose: PortPurpose, address: string) =>
    choosePort(purpose, {
      address,
      asked: options.ports[purpose],
      remembered: remembered[purpose],
      log: tell,
    });
  const ports = {
    people: await choose('people', options.listen),
    mtls: await choose('mtls', options.listen),
    boot: await choose('boot', '127.0.0.1'),
  };
  state.writeJson('ports.json', ports);
  return ports;
};

const host = (address: string): string => (address.includes(':') ? `[${address}]` : address);
const loopbackOf = (listen: string): string =>
  listen === '0.0.0.0' ? '127.0.0.1' : listen === '::' ? '::1' : listen;

/** The lab itself wipes its servers; of others it knows nothing, and says so. */
const labCleaning = (state: StateDir) => ({
  cleaningCommand: [
    process.execPath,
    join(import.meta.dirname, '../lab/clean.ts'),
    join(state.runtimeDir, CONTROL_SOCKET),
  ],
  cleaningTimeoutMs: 90_000,
});

const startControlPlane = (session: Session, ports: Ports): Promise<Embedded> =>
  startEmbedded({
    stateDir: session.state.path,
    cluster: 'lab',
    people: { host: session.options.listen, port: ports.people },
    // Where people of other hosts are let in, agents of other hosts are too.
    mtls: { host: session.options.listen, port: ports.mtls },
    agentBundles: agentBundlesIn(session.state.path),
    origins: session.options.origins,
    publicNames: session.options.publicName === undefined ? [] : [session.options.publicName],
    ...(session.options.lab ? labCleaning(session.state) : {}),
    version: readVersion(),
    clock: session.clock,
    random: systemRandom,
    log: session.log,
  });

const startHostAgent = async (
  { options, state, clock, log, signal }: Session,
  parts: AsyncDisposableStack,
  of: Pick<HostAgentOptions, 'tools' | 'embedded' | 'endpoint' | 'ports'>,
): Promise<HostAgent> => {
  if (of.tools.kind === 'missing' && options.check) {
    throw new StartRefused(of.tools.reasons.join('; '), of.tools.cure);
  }
  const host = await createHostAgent({ ...of, state, clock, log, signal });
  await host.agent.start();
  parts.defer(() => host.agent.stop({ stopWithinMs: GUESTS_STOP_MS }));
  await untilConnected({ clock, signal, state }, host.agent);
  return host;
};

type GuestParts = {
  readonly tools: GuestTools;
  readonly host: HostAgent;
  readonly people: PeopleTransport;
};

type Guests = {
  readonly accelerator: string;
  readonly hasDemo: boolean;
  readonly warnings: readonly string[];
};

const startGuests = async (
  session: Session,
  { tools, host: { id, guests }, people }: GuestParts,
): Promise<Guests> => {
  const { options, state, clock, say: tell, signal } = session;
  if (tools.kind === 'missing' || guests === undefined) {
    const reasons = tools.kind === 'missing' ? tools.reasons.join('; ') : 'qemu does not run';
    const warnings = [`no virtual machines here: ${reasons}`];
    if (tools.kind === 'missing') warnings.push(tools.cure);
    return { accelerator: 'none on this host', hasDemo: false, warnings };
  }
  const { acceleration: found, guestsDir } = guests;
  await ensureHostProvider(people.transport, { id, guestsDir, emulated: found.emulated });
  const lab = await buildLab(session, tools);
  const image = await ensureLabImage(people.transport, lab);
  const wantsDemo = options.demo && state.readJson<{ done: boolean }>('demo.json').done !== true;
  if (wantsDemo || options.check) {
    const made = await runDemo(people.transport, { image, clock, log: tell, signal });
    state.writeJson('demo.json', { done: true });
    if (!made && options.check) await awaitDemo(people.transport, { clock, signal });
  }
  const speed = found.emulated ? ' (emulated processors, slow)' : '';
  const accelerator = `qemu with ${found.accelerator}${speed}; ${firstLine(found.why)}`;
  return { accelerator, hasDemo: await hasDemoMachine(people.transport), warnings: [] };
};

const firstLine = (text: string): string => text.split('\n')[0] ?? '';

const buildLab = (
  { state, log, signal }: Session,
  tools: Extract<GuestTools, { kind: 'ready' }>,
): Promise<LabLinux> =>
  buildLabLinux({
    kernelPackageDir: tools.kernelPackageDir,
    busybox: tools.busybox.path,
    outputDir: state.file('images/lab-linux'),
    log,
    signal,
  });
