/**
 * Many agents in one process, each with a certificate and a connection of its own, on Node's bare
 * HTTP/2 so that the load weighs little. They say Hello, then a heartbeat at the pace of an agent.
 */

import { randomUUID } from 'node:crypto';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as dial } from 'node:http2';
import { create, toBinary } from '@bufbuild/protobuf';
import { v7 as uuidV7 } from 'uuid';
import { SessionRequestSchema } from '../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import type { Pem } from '../../../services/runtime/tls.ts';
import { CLUSTER, createAuthority } from '../../support/certificates.ts';
import { grpcFrame } from '../grpc-frame.ts';
import { SERVER } from '../rpc-message.ts';
import { serveParent } from '../serve-parent.ts';

const INTERVAL_MS = 10_000;
const PENDING_MAX = 100;
const SESSION_PATH = '/runmachine.agent.v1.AgentService/Session';

type Agent = {
  readonly stream: ClientHttp2Stream;
  readonly session: ClientHttp2Session;
  timer: NodeJS.Timeout | undefined;
  lastBeatMs: number;
};
type Group = { readonly agents: Map<number, Agent>; beats: number; lost: number };

let certificates: Pem[] = [];
const groups = new Map<string, Group>();

/** Makes a CA and the agents' certificates; answers the server's and what the uids are. */
const issue = async ({ count }: { readonly count: number }) => {
  const authority = await createAuthority();
  const uids = Array.from({ length: count }, () => uuidV7());
  certificates = [];
  for (const uid of uids) {
    certificates.push(await authority.issue([`spiffe://${CLUSTER}/agent/${uid}`]));
  }
  const pem = (await authority.service(SERVER)).current();
  return { pem, uids, callerPem: (await authority.service('bench')).current() };
};

type Ramp = {
  readonly group: string;
  readonly port: number;
  readonly count: number;
  readonly perSecond: number;
};

/** Connects that many at that pace; resolves when each got its Welcome. */
const connect = async ({ group: name, port, count, perSecond }: Ramp): Promise<void> => {
  const group: Group = { agents: new Map(), beats: 0, lost: 0 };
  groups.set(name, group);
  const startMs = performance.now();
  const welcomes: Promise<unknown>[] = [];
  let pending = 0;
  for (let at = 0; at < count; at += 1) {
    const pem = certificates[at];
    if (pem === undefined) throw new Error('there are fewer certificates than agents');
    // More would overflow the listener's queue when something else holds the server up.
    while (pending > PENDING_MAX) await pause(5);
    pending += 1;
    welcomes.push(
      begin(group, at, { port, pem })
        .then(
          () => undefined,
          (error: unknown) => error,
        )
        .finally(() => {
          pending -= 1;
        }),
    );
    const aheadMs = startMs + ((at + 1) * 1000) / perSecond - performance.now();
    if (aheadMs > 5) await pause(aheadMs);
  }
  const failures = (await Promise.all(welcomes)).filter((one) => one !== undefined);
  if (failures.length > 0) {
    throw new Error(`${failures.length} of ${count} did not connect: ${String(failures[0])}`);
  }
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const begin = (
  group: Group,
  at: number,
  { port, pem }: { readonly port: number; readonly pem: Pem },
): Promise<void> =>
  new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const session = dial(`https://localhost:${port}`, {
      ca: pem.ca,
      cert: pem.certificate,
      key: pem.key,
    });
    const stream = session.request({
      ':method': 'POST',
      ':path': SESSION_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const agent: Agent = { stream, session, timer: undefined, lastBeatMs: 0 };
    group.agents.set(at, agent);
    const lose = (error?: Error) => {
      if (group.agents.delete(at)) group.lost += 1;
      clearTimeout(agent.timer);
      session.destroy();
      const afterMs = Math.round(performance.now() - startedMs);
      reject(new Error(`the session of agent ${at} ended after ${afterMs} ms`, { cause: error }));
    };
    session.on('error', lose);
    stream.on('error', lose);
    stream.on('close', () => lose());
    stream.once('data', () => {
      resolve();
      // As agents do: the first beat at a random time, so that ten thousand do not come at once.
      later(group, agent, systemRandom.fraction() * INTERVAL_MS);
    });
    stream.resume();
    stream.write(frameOf({ content: { case: 'hello', value: hello() } }));
  });

const hello = () => ({
  instanceId: randomUUID(),
  journalId: randomUUID(),
  version: '0.1.0',
  roles: ['vm'],
  host: { hostname: 'host-1', architecture: 'x86_64', cpus: 8 },
});

const later = (group: Group, agent: Agent, ms: number): void => {
  agent.timer = setTimeout(() => {
    group.beats += 1;
    agent.lastBeatMs = wallMs();
    const number = BigInt(group.beats);
    agent.stream.write(frameOf({ content: { case: 'heartbeat', value: { number } } }));
    later(group, agent, INTERVAL_MS * (0.9 + 0.2 * systemRandom.fraction()));
  }, ms);
};

const frameOf = (message: Parameters<typeof create<typeof SessionRequestSchema>>[1]): Buffer =>
  grpcFrame(toBinary(SessionRequestSchema, create(SessionRequestSchema, message)));

/** Comparable between processes of one machine. */
const wallMs = (): number => performance.timeOrigin + performance.now();

const groupOf = (name: string): Group => {
  const group = groups.get(name);
  if (group === undefined) throw new Error(`there is no group "${name}"`);
  return group;
};

const stats = ({ group }: { readonly group: string }) => {
  const { beats, lost, agents } = groupOf(group);
  return { beats, lost, connected: agents.size };
};

/** The first `count` stop to beat and keep their connections; answers when each was heard last. */
const silence = (args: { readonly group: string; readonly count: number }): number[] =>
  Array.from({ length: args.count }, (_, at) => {
    const agent = groupOf(args.group).agents.get(at);
    clearTimeout(agent?.timer);
    return agent?.lastBeatMs ?? 0;
  });

export type Issued = Awaited<ReturnType<typeof issue>>;
export type LoadStats = ReturnType<typeof stats>;

serveParent({ issue, connect, stats, silence });
