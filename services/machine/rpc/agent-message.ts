/** Messages of the agent protocol as work knows them, and back. */
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs, timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type Agent as AgentMessage,
  AgentSchema,
  AgentState as AgentStateMessage,
  type HostFacts as HostFactsMessage,
} from '../../../gen/runmachine/agent/v1/agent_pb.ts';
import {
  type CommandSchema,
  type Hello,
  type SessionRequest,
  type SessionResponse,
  SessionResponseSchema,
} from '../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { AssignmentSchema } from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { AgentEvent, Observation } from '../../../gen/runmachine/agent/v1/report_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import type { AgentSession, Down, HelloView, Report } from '../agent-port.ts';
import type { EventDraft } from '../domain/event.ts';
import type { Observed, Problem } from '../domain/machine.ts';
import type { Agent, AgentState, HostFacts } from '../ports.ts';
import { given, portOf, powerOf } from './machine-message.ts';

const ms = (time: Parameters<typeof timestampMs>[0] | undefined): number | null =>
  time === undefined ? null : timestampMs(time);

const hostOf = (host: HostFactsMessage | undefined): HostFacts | null =>
  host === undefined
    ? null
    : {
        hostname: host.hostname,
        architecture: host.architecture,
        cpuThreads: host.cpuThreads,
        memoryBytes: Number(host.memoryBytes),
        diskBytes: Number(host.diskBytes),
        accelerator: host.accelerator,
        acceleratorReason: host.acceleratorReason,
      };

export const helloOf = (agentUid: string, hello: Hello): HelloView => ({
  agentUid,
  instanceId: hello.instanceId.toLowerCase(),
  journalId: hello.journalId.toLowerCase(),
  programVersion: hello.version,
  roles: hello.roles,
  held: hello.held.map((one) => ({
    uid: one.uid.toLowerCase(),
    incarnation: Number(one.incarnation),
    generation: Number(one.generation),
    digest: Buffer.from(one.digest).toString('hex'),
  })),
  host: hostOf(hello.host),
});

type Context = { readonly incarnation: number; readonly nowMs: number };

/** Undefined for what is not stored: a heartbeat, or a content that this version does not know. */
export const reportOf = (message: SessionRequest, context: Context): Report | undefined => {
  const sequence = Number(message.sequence);
  const { content } = message;
  switch (content.case) {
    case 'observation': {
      const uid = content.value.uid.toLowerCase();
      return { kind: 'observation', sequence, uid, seen: observedOf(content.value, context) };
    }
    case 'event':
      return {
        kind: 'event',
        sequence,
        targetUid: content.value.targetUid.toLowerCase(),
        draft: draftOf(content.value, context),
      };
    case 'commandResult': {
      const { id, succeeded, reason, message: text, bmc: answer } = content.value;
      const failure = succeeded ? null : { reason, message: text };
      const commandId = id.toLowerCase();
      return { kind: 'command-result', sequence, commandId, failure, ...given('answer', answer) };
    }
    default:
      return undefined;
  }
};

const observedOf = (seen: Observation, { incarnation, nowMs }: Context): Observed => {
  // What was applied before a restore was not this installation's: it counts as not applied.
  const isOurs = Number(seen.incarnation) === incarnation;
  const { boot } = seen;
  return {
    incarnation: Number(seen.incarnation),
    generation: isOurs ? Number(seen.generation) : 0,
    power: powerOf(seen.power),
    bootGeneration: Number(seen.bootGeneration),
    boot:
      boot === undefined
        ? null
        : {
            bootCount: Number(boot.bootCount),
            startMs: ms(boot.startTime),
            kernelMs: ms(boot.kernelTime),
            phoneHomeMs: ms(boot.phoneHomeTime),
            bootId: boot.bootId,
            kernelRelease: boot.kernelRelease,
            hostname: boot.hostname,
          },
    ready: seen.ready,
    ports: seen.ports.map(portOf),
    problem: problemOf(seen.problem, nowMs),
    gone: seen.gone,
    timeMs: ms(seen.time) ?? nowMs,
    guestOff: seen.guestOff,
    emulated: seen.emulated,
  };
};

const problemOf = (problem: Observation['problem'], nowMs: number): Problem | null =>
  problem === undefined
    ? null
    : {
        reason: problem.reason,
        message: problem.message,
        sinceMs: ms(problem.since) ?? nowMs,
        retryMs: ms(problem.retryTime),
      };

const draftOf = (event: AgentEvent, { nowMs }: Context): EventDraft => ({
  type: event.type,
  severity: event.warning ? 'warning' : 'info',
  message: event.message,
  timeMs: ms(event.time) ?? nowMs,
  data: event.data,
});

export const welcomeMessage = (
  session: AgentSession,
  { incarnation, heartbeatMs }: { readonly incarnation: number; readonly heartbeatMs: number },
): SessionResponse =>
  create(SessionResponseSchema, {
    content: {
      case: 'welcome',
      value: {
        epoch: BigInt(session.epoch),
        incarnation: BigInt(incarnation),
        heartbeatInterval: durationFromMs(heartbeatMs),
        lastSequence: BigInt(session.storedSequence),
        agent: session.name,
      },
    },
  });

/** An order of an agent that was not begun within this is not begun any more. */
const COMMAND_MS = 10_000;

export const downMessage = (down: Exclude<Down, { kind: 'welcome' }>): SessionResponse => {
  const content = ((): NonNullable<Parameters<typeof create<typeof SessionResponseSchema>>[1]> => {
    switch (down.kind) {
      case 'assignment':
        return { content: { case: 'assignment', value: fromBinary(AssignmentSchema, down.bytes) } };
      case 'synced':
        return { content: { case: 'synced', value: { orphanUids: [...down.orphans] } } };
      case 'acknowledged':
        return {
          content: { case: 'acknowledgement', value: { sequence: BigInt(down.sequence) } },
        };
      case 'goodbye':
        return { content: { case: 'goodbye', value: { reason: down.reason } } };
      case 'open-channel': {
        const { kind, commandId, site, ...open } = down;
        const value = { ...open, ...site };
        return command(commandId, COMMAND_MS, { case: 'openChannel', value });
      }
      case 'order':
        return command(down.commandId, down.validForMs, { case: 'bmc', value: down.order });
      default:
        return down satisfies never;
    }
  })();
  return create(SessionResponseSchema, content);
};

type Order = NonNullable<MessageInitShape<typeof CommandSchema>['order']>;

const command = (id: string, validForMs: number, order: Order) => ({
  content: {
    case: 'command' as const,
    value: { id, validFor: durationFromMs(validForMs), order },
  },
});

const STATE: Readonly<Record<AgentState, AgentStateMessage>> = {
  up: AgentStateMessage.UP,
  drained: AgentStateMessage.DRAINED,
  down: AgentStateMessage.DOWN,
  revoked: AgentStateMessage.REVOKED,
};

export const agentMessage = (
  agent: Agent,
  { incarnation, heardMs }: { readonly incarnation: number; readonly heardMs: number | undefined },
): AgentMessage =>
  create(AgentSchema, {
    name: `partitions/${agent.partition}/agents/${agent.agentId}`,
    uid: agent.uid,
    etag: etagOf(agent, incarnation),
    generation: 1n,
    createTime: timestampFromMs(agent.createMs),
    updateTime: timestampFromMs(agent.updateMs),
    status: {
      state: STATE[agent.state],
      roles: [...agent.roles],
      version: agent.programVersion,
      since: timestampFromMs(agent.sinceMs),
      ...given(
        'lastHeartbeatTime',
        heardMs === undefined ? undefined : timestampFromMs(Math.floor(heardMs)),
      ),
      epoch: BigInt(agent.epoch),
      ...given('host', hostMessage(agent.host)),
      orphans: [...agent.orphans],
    },
  });

const hostMessage = (host: HostFacts | null) =>
  host === null
    ? undefined
    : { ...host, memoryBytes: BigInt(host.memoryBytes), diskBytes: BigInt(host.diskBytes) };
