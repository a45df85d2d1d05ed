import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { createClient, type Transport } from '@connectrpc/connect';
import { CertificateService } from '../../gen/runmachine/identity/v1/certificate_service_pb.ts';
import { makeKeyAndRequest } from '../../services/cli/signing-request.ts';
import { createPeopleTransport } from '../../services/runtime/client.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { Pem } from '../../services/runtime/tls.ts';
import { freePort } from './free-port.ts';
import { temporaryDir } from './temporary-dir.ts';

/**
 * The embedded control plane as a process of its own: what a test does to it cannot hurt the test.
 */
export type ControlPlane = AsyncDisposable & {
  readonly pid: number;
  /** Of the listener for people. */
  readonly endpoint: string;
  readonly peoplePort: number;
  readonly mtlsPort: number;
  readonly caPem: string;
  /** Bearer token of user admin. */
  readonly token: string;
  readonly stateDir: string;
  /** Connect over HTTP/2 with that token; without one nobody calls. */
  readonly transport: (token?: string) => Transport;
  /** A client certificate of user admin, as `runm cert create` makes it. */
  readonly certificate: (name: string) => Promise<Pem>;
  /** Memory of the process as its metrics tell it. */
  readonly residentBytes: () => Promise<number>;
  /** How the process ended; undefined while it runs. */
  readonly end: () => string | undefined;
  /** The lines of its log with at least this level (pino: 40 is warn, 50 is error). */
  readonly logged: (level: number) => readonly string[];
};

const CHILD = join(import.meta.dirname, 'control-plane-child.ts');
const START_LIMIT_MS = 180_000;
const STOP_LIMIT_MS = 60_000;

/** `heapMb` bounds the memory of JavaScript: beyond it the process dies, and the test with it. */
export const startControlPlane = async ({
  origins = [],
  heapMb = 512,
}: {
  readonly origins?: readonly string[];
  readonly heapMb?: number;
} = {}): Promise<ControlPlane> => {
  const dir = temporaryDir({ inMemory: true });
  const [peoplePort, mtlsPort] = [await freePort(), await freePort()];
  const child = fork(CHILD, [dir.path, String(peoplePort), String(mtlsPort), ...origins], {
    execArgv: [`--max-old-space-size=${heapMb}`],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (part: Buffer) => {
      printed = `${printed}${part.toString()}`.slice(-4_000);
    });
  }
  const end = () => {
    if (child.exitCode === null && child.signalCode === null) return undefined;
    return `${child.signalCode ?? `exit ${child.exitCode}`}: ${printed}`;
  };
  const ready = await readyOf(child, end);
  const endpoint = `https://127.0.0.1:${peoplePort}`;
  const token = readFileSync(ready.adminTokenFile, 'utf8').trim();
  const closers: (() => void)[] = [];
  const transport = (bearer?: string): Transport => {
    const made = createPeopleTransport({
      endpoint,
      caPem: ready.caPem,
      ...(bearer !== undefined && { token: bearer }),
    });
    closers.push(made.close);
    return made.transport;
  };
  return {
    pid: child.pid ?? 0,
    endpoint,
    peoplePort,
    mtlsPort,
    caPem: ready.caPem,
    token,
    stateDir: dir.path,
    transport,
    certificate: async (name) => {
      const { keyPem, requestPem } = await makeKeyAndRequest(name);
      const { certificate } = await createClient(
        CertificateService,
        transport(token),
      ).createCertificate({
        certificateId: name,
        certificate: { spec: { csrPem: requestPem } },
        requestId: systemRandom.requestId(),
      });
      const own = certificate?.status?.certificatePem ?? '';
      return { ca: ready.caPem, certificate: own, key: keyPem };
    },
    residentBytes: async () => residentBytesIn(await metricsOf(endpoint, ready.caPem)),
    end,
    logged: (level) =>
      readFileSync(join(dir.path, 'runmachine.log'), 'utf8')
        .split('\n')
        .filter((line) => Number(/"level":(\d+)/.exec(line)?.[1] ?? 0) >= level),
    [Symbol.asyncDispose]: async () => {
      for (const close of closers) close();
      await stop(child);
      dir[Symbol.dispose]();
    },
  };
};

type Ready = { readonly caPem: string; readonly adminTokenFile: string };

const isReady = (value: unknown): value is Ready =>
  typeof value === 'object' && value !== null && 'caPem' in value && 'adminTokenFile' in value;

const readyOf = async (child: ChildProcess, end: () => string | undefined): Promise<Ready> => {
  const limit = new AbortController();
  const late = setTimeout(() => limit.abort(), START_LIMIT_MS);
  const exited = once(child, 'exit', { signal: limit.signal }).then(() => [undefined]);
  const told = once(child, 'message', { signal: limit.signal });
  const [said] = await Promise.race([told, exited]).finally(() => clearTimeout(late));
  if (isReady(said)) return said;
  throw new Error(`the control plane did not start: ${end()}`);
};

const metricsOf = (endpoint: string, ca: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = request(`${endpoint}/metrics`, { ca, agent: false }, (answer) => {
      let body = '';
      answer.on('data', (part: Buffer) => {
        body += part.toString();
      });
      answer.on('end', () => resolve(body));
    });
    sent.on('error', reject);
    sent.end();
  });

const residentBytesIn = (metrics: string): number => {
  const found = /^process_resident_memory_bytes (\S+)/m.exec(metrics)?.[1];
  if (found === undefined) throw new Error('the metrics do not tell the resident memory');
  return Number(found);
};

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await exited;
  clearTimeout(late);
};
