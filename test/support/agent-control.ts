import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, createServiceImplSpec } from '@connectrpc/connect';
import {
  AgentService,
  type ChannelRequest,
  type ChannelResponse,
  ChannelResponseSchema,
  CommandSchema,
  GetSecretResponseSchema,
  type Hello,
  type SessionRequest,
  type SessionResponse,
  SessionResponseSchema,
} from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { AssignmentSchema } from '../../gen/runmachine/agent/v1/assignment_pb.ts';
import type {
  AgentEvent,
  CommandResult,
  Observation,
} from '../../gen/runmachine/agent/v1/report_pb.ts';
import { createBoundedQueue } from '../../services/runtime/bounded-queue.ts';
import { mountGrpcJs } from '../../services/runtime/rpc/mount-grpc-js.ts';
import { type Authority, createAuthority } from './certificates.ts';
import { silentLog } from './silent-log.ts';

/**
 * The control plane as an agent sees it, for tests that say exactly what it is told and when: the
 * real contract over mTLS, with nothing behind it but what the test puts there.
 */
export type AgentControl = {
  readonly port: number;
  readonly secrets: Map<string, MessageInitShape<typeof GetSecretResponseSchema>>;
  /** Writes the certificate of an agent that has joined. */
  readonly enrol: (stateDir: string, agentUid: string) => Promise<void>;
  readonly hellos: readonly Hello[];
  readonly results: readonly CommandResult[];
  readonly events: readonly AgentEvent[];
  /** The newest of that object. */
  readonly seen: (uid: string) => Observation | undefined;
  /** What is wanted; sent now, and after each Hello that does not hold it. */
  readonly assign: (assignment: MessageInitShape<typeof AssignmentSchema>) => void;
  readonly order: (command: MessageInitShape<typeof CommandSchema>) => void;
  /** The channel that the agent dials with that id. */
  readonly channel: (id: string) => TestChannel | undefined;
  /** Ends sessions and refuses new ones until it is called with true. */
  readonly reachable: (isReachable: boolean) => void;
} & AsyncDisposable;

export type TestChannel = {
  readonly received: readonly ChannelRequest[];
  readonly text: () => string;
  readonly type: (text: string) => void;
  readonly close: () => void;
};

type Wanted = MessageInitShape<typeof AssignmentSchema> & { uid: string };
type Queue = ReturnType<typeof createBoundedQueue<SessionResponse>>;

const MESSAGES_MAX = 10_000;
/** A session ends after three of silence, and what is ordered meanwhile is lost. */
const HEARTBEAT = { seconds: 20n, nanos: 0 };

export const startAgentControl = async (): Promise<AgentControl> => {
  const authority = await createAuthority();
  const secrets: AgentControl['secrets'] = new Map();
  const state = newState();
  const channels = new Map<string, TestChannel>();
  const { methods } = createServiceImplSpec<typeof AgentService>(AgentService, {
    session: (requests, context) => session(state, requests, context.signal),
    channel: (requests) => channel(channels, requests),
    getArtifact: () => {
      throw new ConnectError('there are no files', Code.NotFound);
    },
    getSecret: ({ name }) => {
      const found = secrets.get(name);
      if (!found) throw new ConnectError('there is none', Code.NotFound);
      return create(GetSecretResponseSchema, found);
    },
  });
  const mount = await mountGrpcJs({
    services: [{ service: AgentService, methods: Object.values(methods) }],
    tls: await authority.service('machine'),
    listen: { host: '127.0.0.1', port: 0 },
    log: silentLog,
  });
  return {
    port: mount.port,
    secrets,
    enrol: (stateDir, uid) => enrol(authority, stateDir, uid),
    ...{ hellos: state.hellos, results: state.results, events: state.events },
    seen: (uid) => state.observations.get(uid),
    assign: (assignment) => {
      const wanted = { incarnation: 1n, ...assignment, uid: assignment.uid ?? '' };
      state.wanted.set(wanted.uid, wanted);
      send(state, down('assignment', create(AssignmentSchema, wanted)));
    },
    order: (command) => send(state, down('command', create(CommandSchema, command))),
    channel: (id) => channels.get(id),
    reachable: (isReachable) => {
      state.isReachable = isReachable;
      if (!isReachable) for (const queue of state.queues) queue.close();
    },
    [Symbol.asyncDispose]: async () => {
      for (const queue of state.queues) queue.close();
      await mount.stop(AbortSignal.timeout(200));
    },
  };
};

const newState = () => ({
  isReachable: true,
  hellos: [] as Hello[],
  results: [] as CommandResult[],
  events: [] as AgentEvent[],
  observations: new Map<string, Observation>(),
  wanted: new Map<string, Wanted>(),
  queues: new Set<Queue>(),
  stored: new Map<string, bigint>(),
});
type State = ReturnType<typeof newState>;

const enrol = async (authority: Authority, stateDir: string, uid: string): Promise<void> => {
  const { ca, certificate, key } = (await authority.agent(uid)).current();
  const directory = join(stateDir, 'identity');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const files = { 'ca.pem': ca, 'agent.crt': certificate, 'agent.key': key };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  }
};

const down = <Case extends 'assignment' | 'command'>(
  kind: Case,
  value: Extract<SessionResponse['content'], { case: Case }>['value'],
): SessionResponse =>
  create(SessionResponseSchema, {
    content: { case: kind, value } as SessionResponse['content'],
  });

const send = (state: State, message: SessionResponse): void => {
  for (const queue of state.queues) queue.offer(message);
};

async function* session(
  state: State,
  requests: AsyncIterable<SessionRequest>,
  signal: AbortSignal,
): AsyncGenerator<SessionResponse> {
  if (!state.isReachable) throw new ConnectError('the site is cut off', Code.Unavailable);
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const hello = first.done ? undefined : first.value.content;
  if (hello?.case !== 'hello') throw new ConnectError('no Hello', Code.InvalidArgument);
  state.hellos.push(hello.value);
  const queue: Queue = createBoundedQueue(MESSAGES_MAX);
  const { journalId } = hello.value;
  queue.offer(welcome(state, journalId));
  for (const one of lacking(state, hello.value)) queue.offer(one);
  queue.offer(create(SessionResponseSchema, { content: { case: 'synced', value: {} } }));
  state.queues.add(queue);
  read(state, { iterator, queue, journalId }).catch(() => queue.close());
  try {
    for (;;) {
      const next = await queue.take(signal);
      if (next === undefined) return;
      yield next;
    }
  } finally {
    state.queues.delete(queue);
  }
}

const welcome = (state: State, journalId: string): SessionResponse =>
  create(SessionResponseSchema, {
    content: {
      case: 'welcome',
      value: {
        epoch: 1n,
        incarnation: 1n,
        heartbeatInterval: HEARTBEAT,
        lastSequence: state.stored.get(journalId) ?? 0n,
        agent: 'partitions/lab/agents/one',
      },
    },
  });

const lacking = (state: State, { held }: Hello): SessionResponse[] =>
  [...state.wanted.values()]
    .filter(
      ({ uid, generation }) =>
        !held.some((one) => one.uid === uid && one.generation === generation),
    )
    .map((one) => down('assignment', create(AssignmentSchema, one)));

type Reading = {
  readonly iterator: AsyncIterator<SessionRequest>;
  readonly queue: Queue;
  readonly journalId: string;
};

const read = async (state: State, { iterator, queue, journalId }: Reading): Promise<void> => {
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    const { content, sequence } = next.value;
    if (sequence > 0n && sequence <= (state.stored.get(journalId) ?? 0n)) continue;
    if (content.case === 'commandResult') state.results.push(content.value);
    else if (content.case === 'event') state.events.push(content.value);
    else if (content.case === 'observation') {
      state.observations.set(content.value.uid, content.value);
    }
    if (sequence > 0n) state.stored.set(journalId, sequence);
    const value = { sequence: state.stored.get(journalId) ?? 0n };
    queue.offer(create(SessionResponseSchema, { content: { case: 'acknowledgement', value } }));
  }
  queue.close();
};

async function* channel(
  channels: Map<string, TestChannel>,
  requests: AsyncIterable<ChannelRequest>,
): AsyncGenerator<ChannelResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const opening = first.done ? undefined : first.value.content;
  if (opening?.case !== 'channelId') throw new ConnectError('no id', Code.InvalidArgument);
  const received: ChannelRequest[] = [];
  const typed = createBoundedQueue<string>(MESSAGES_MAX);
  channels.set(opening.value, {
    received,
    text: () =>
      received
        .map(({ content }) => (content.case === 'data' ? Buffer.from(content.value) : ''))
        .join(''),
    type: (text) => {
      typed.offer(text);
    },
    close: typed.close,
  });
  const pump = async (): Promise<void> => {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      received.push(next.value);
    }
    typed.close();
  };
  pump().catch(() => typed.close());
  const never = new AbortController().signal;
  for (;;) {
    const text = await typed.take(never);
    if (text === undefined) return;
    const content = { case: 'data' as const, value: Uint8Array.from(Buffer.from(text)) };
    yield create(ChannelResponseSchema, { content });
  }
}
