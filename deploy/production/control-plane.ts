import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { SERVICE_NAMES, SERVICE_OF_AREA } from '../../services/contract.ts';
import { MEMORY_ENVIRONMENT } from '../memory-environment.ts';
import { runCommand } from '../tools/run-command.ts';
import { writeServiceConfig } from './configuration.ts';
import { pingEtcd, prepareEtcd } from './etcd.ts';
import { prepareHaproxy } from './haproxy.ts';
import type { ManagedProcess, ProcessSpec } from './managed-process.ts';
import type { Places } from './places.ts';
import type { Member, Plan } from './plan.ts';
import { ensureDatabases, preparePostgres } from './postgres.ts';
import { ensureSecret } from './secrets.ts';
import type { ServerPrograms } from './tools.ts';

export const MAIN = join(import.meta.dirname, '../../services/main.ts');

export type Installation = {
  readonly places: Places;
  readonly plan: Plan;
  readonly launch: (spec: ProcessSpec) => ManagedProcess;
  /** Calls until it does not throw; fails at once when the process has ended. */
  readonly until: (process: ManagedProcess, probe: () => Promise<void>) => Promise<void>;
  readonly signal: AbortSignal;
};

const END_LIMIT_MS = 15_000;
const CERTIFICATE_LIMIT_MS = 60_000;
const PROBE_MS = 2_000;

/**
 * PostgreSQL, etcd, the services and HAProxy, in the order in which they need each other. Answers
 * HAProxy; every service is reached through it.
 */
export const startControlPlane = async (
  installation: Installation,
  programs: ServerPrograms,
): Promise<ManagedProcess> => {
  const { places, plan, launch, until } = installation;
  const postgres = { places, ...programs, port: plan.postgresPort };
  const etcd = { places, ...programs, port: plan.etcdPort, peerPort: plan.etcdPeerPort };
  const [database, coordination] = [
    launch(await preparePostgres(postgres)),
    launch(await prepareEtcd(etcd)),
  ];
  await until(database, () => ensureDatabases(postgres));
  await until(coordination, () => pingEtcd(etcd));
  ensureSecret(places.secret('master.key'));
  ensureSecret(places.secret('admin.token'));
  const specs = plan.members.map((member) => serviceProcess(member, installation));
  await issueCertificates(places, installation.signal);
  const services = specs.map(launch);
  const proxy = launch(prepareHaproxy(programs.haproxy, { places, plan }));
  const ready = plan.members.map(({ peoplePort }, at) => {
    const running = services[at];
    if (running === undefined) throw new Error('a member without a process');
    return until(running, () => probe(places, { port: peoplePort, path: '/ready' }));
  });
  await Promise.all(ready);
  // HAProxy believes in a replica only after a check of its own.
  for (const area of Object.keys(SERVICE_OF_AREA)) {
    const path = `/runmachine.${area}.v1.`;
    await until(proxy, () => probe(places, { port: plan.peoplePort, path, status: 404 }));
  }
  return proxy;
};

const serviceProcess = (
  member: Member,
  { places, plan }: Pick<Installation, 'places' | 'plan'>,
): ProcessSpec => {
  const { name, service } = member;
  const config = writeServiceConfig(member, places, plan);
  const args = ['run', service, '--config', config];
  return nodeProcess(places, { name, args, env: MEMORY_ENVIRONMENT });
};

type NodeProcess = Pick<ProcessSpec, 'name' | 'args' | 'env'>;

export const nodeProcess = (
  places: Places,
  { name, args, env = {} }: NodeProcess,
): ProcessSpec => ({
  name,
  path: process.execPath,
  args: [MAIN, ...args],
  // Half of a start is reading and compiling our sources.
  env: { NODE_COMPILE_CACHE: places.file('compiled'), ...env },
  cwd: places.dir,
  logFile: places.log(name),
  endLimitMs: END_LIMIT_MS,
});

/** Gives every service and the people's listeners new certificates, 90 days each. */
export const issueCertificates = async (places: Places, signal: AbortSignal): Promise<void> => {
  const args = [
    ...[MAIN, 'certificate', '--config', places.config('metadata-1.yaml'), '--people'],
    ...SERVICE_NAMES.flatMap((service) => ['--name', service]),
    ...['localhost', '127.0.0.1', '::1'].flatMap((host) => ['--host', host]),
    ...['--out', places.file('certificates')],
  ];
  const env = { NODE_COMPILE_CACHE: places.file('compiled') };
  const limits = { limitMs: CERTIFICATE_LIMIT_MS, signal };
  const { exitCode, stderr } = await runCommand(process.execPath, args, { env, ...limits });
  if (exitCode !== 0) throw new Error(`certificates could not be issued:\n${stderr}`);
};

type Probe = { readonly port: number; readonly path: string; readonly status?: number };

/** Resolves on that status (200 when absent), rejects with what came instead. */
const probe = (places: Places, { port, path, status = 200 }: Probe): Promise<void> =>
  new Promise((resolve, reject) => {
    const asked = request(
      {
        ...{ host: '127.0.0.1', servername: 'localhost', port, path, timeout: PROBE_MS },
        ca: readFileSync(places.certificate('ca.crt')),
        agent: false,
      },
      (response) => {
        let text = '';
        response.on('data', (part: Buffer) => {
          text += part.toString();
        });
        response.on('end', () =>
          response.statusCode === status
            ? resolve()
            : reject(new Error(`status ${response.statusCode}: ${text.trim()}`)),
        );
        response.on('error', reject);
      },
    );
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', reject);
    asked.end();
  });
