import { readFileSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { writeProfiles } from '../../services/cli/profile.ts';
import { createPeopleTransport } from '../../services/runtime/client.ts';
import { type Clock, systemClock } from '../../services/runtime/clock.ts';
import { lockStateDir } from '../../services/runtime/lock-file.ts';
import { writeShim } from '../start/shim.ts';
import { openStateDir } from '../start/state-dir.ts';
import { type Installation, startControlPlane } from './control-plane.ts';
import type { EtcdAccess } from './etcd.ts';
import { openProcessFile } from './leftovers.ts';
import { type ManagedProcess, type ProcessSpec, startProcess } from './managed-process.ts';
import { makePlaces } from './places.ts';
import { type Member, makePlan } from './plan.ts';
import { prepareServers } from './tools.ts';
import { startVmHost } from './vm-host.ts';

export type ProductionOptions = {
  /** Made if missing; what an earlier start left in it goes on. */
  readonly dir: string;
  /** Where programs are that this system lacks; they are fetched into it. */
  readonly toolsDir: string;
  /** False: any free ports instead of the usual ones. */
  readonly usualPorts: boolean;
  readonly say: (line: string) => void;
  /** Gives the start up. */
  readonly signal: AbortSignal;
};

export type Production = {
  /** Of HAProxy: "https://localhost:7443". */
  readonly endpoint: string;
  readonly caFile: string;
  readonly caPem: string;
  /** Of user `admin`. */
  readonly tokenFile: string;
  readonly token: string;
  /** Holds `runm`; give it `RUNM_CONFIG=<profileFile>`. */
  readonly binDir: string;
  readonly profileFile: string;
  readonly logDir: string;
  /** Also the agent, HAProxy, etcd and PostgreSQL, by name, in the order of their start. */
  readonly processes: readonly ManagedProcess[];
  readonly process: (name: string) => ManagedProcess;
  readonly members: readonly Member[];
  readonly etcd: EtcdAccess;
  /** Holds the sockets of guests. */
  readonly runtimeDir: string;
  /** Listeners for agents, of every replica of machine. */
  readonly mtlsAddresses: readonly string[];
  /** Stops all in order; guests are asked to power off. */
  readonly stop: () => Promise<void>;
};

const READY_LIMIT_MS = 90_000;
const PROBE_PAUSE_MS = 100;

/** Starts the whole installation and resolves when a machine can be created. */
export const startProduction = async (options: ProductionOptions): Promise<Production> => {
  const { toolsDir, say, signal } = options;
  const places = makePlaces(options.dir);
  await using parts = new AsyncDisposableStack();
  const lock = lockStateDir(places.dir, 'deploy/production');
  parts.defer(() => lock.release());
  const pids = openProcessFile(places.file('processes.json'), systemClock);
  await pids.endLeftovers(say);
  const programs = await prepareServers({ toolsDir, log: say, signal });
  const plan = await makePlan(places.file('ports.json'), { usual: options.usualPorts });
  const { runtimeDir } = openStateDir(places.file('agent'));
  // Sockets of guests that go on are kept.
  parts.defer(() => rmdir(runtimeDir).catch(() => undefined));
  const processes: ManagedProcess[] = [];
  const onLost = (name: string, how: string) =>
    say(`${name} ended with ${how}; see ${places.log(name)}`);
  const launch = (spec: ProcessSpec): ManagedProcess => {
    const started = startProcess(spec, { clock: systemClock, onStart: pids.record, onLost });
    processes.push(started);
    return started;
  };
  parts.defer(() => stopAll(processes));
  const until = createUntil(systemClock, signal);
  const installation: Installation = { places, plan, launch, until, signal };
  const proxy = await startControlPlane(installation, programs);
  const facts = {
    endpoint: `https://localhost:${plan.peoplePort}`,
    caFile: places.certificate('ca.crt'),
    tokenFile: places.secret('admin.token'),
  };
  const caPem = readFileSync(facts.caFile, 'utf8');
  const token = readFileSync(facts.tokenFile, 'utf8').trim();
  const profileFile = places.config('runm.json');
  const profile = { ...facts, partition: 'lab', project: 'default' };
  writeProfiles(profileFile, { current: 'production', profiles: { production: profile } });
  {
    using people = disposable(createPeopleTransport({ endpoint: facts.endpoint, caPem, token }));
    const { transport } = people;
    await startVmHost(installation, { transport, proxy, toolsDir, runtimeDir, say });
  }
  const owned = parts.move();
  return {
    ...facts,
    caPem,
    token,
    profileFile,
    binDir: writeShim(places.dir),
    logDir: places.file('log'),
    processes,
    process: (name) => {
      const found = processes.find((one) => one.name === name);
      if (found === undefined) throw new RangeError(`there is no process "${name}"`);
      return found;
    },
    members: plan.members,
    etcd: { places, port: plan.etcdPort },
    runtimeDir,
    mtlsAddresses: plan.members
      .filter(({ service }) => service === 'machine')
      .map(({ mtlsPort }) => `127.0.0.1:${mtlsPort}`),
    stop: () => owned.disposeAsync(),
  };
};

const disposable = <T extends { readonly close: () => void }>(one: T): T & Disposable => ({
  ...one,
  [Symbol.dispose]: () => one.close(),
});

/** Who needs others ends before them. */
const STOP_ORDER = [/^agent/, /^haproxy/, /^machine/, /^(?:scheduler|inventory)/, /^metadata/, /./];

const stopAll = async (processes: readonly ManagedProcess[]): Promise<void> => {
  for (const stage of STOP_ORDER) {
    const together = processes.filter(({ name }) => stage.test(name));
    await Promise.all(together.map((one) => one.stop()));
  }
};

const createUntil =
  (clock: Clock, signal: AbortSignal): Installation['until'] =>
  async (process, probe) => {
    const endMs = clock.monotonicMs() + READY_LIMIT_MS;
    for (;;) {
      process.demandRunning();
      try {
        await probe();
        return;
      } catch (cause) {
        if (clock.monotonicMs() > endMs) {
          throw new Error(`${process.name} is not ready after ${READY_LIMIT_MS / 1000} s`, {
            cause,
          });
        }
      }
      await clock.sleep(PROBE_PAUSE_MS, signal);
    }
  };
