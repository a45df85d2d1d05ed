import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { HostFacts } from '../../gen/runmachine/agent/v1/agent_pb.ts';
import {
  type AgentService,
  type Command,
  HelloSchema,
  type SessionRequest,
  SessionRequestSchema,
  type SessionResponse,
  type Welcome,
} from '../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { type Assignment, AssignmentSchema } from '../../gen/runmachine/agent/v1/assignment_pb.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import { domainErrorOf } from '../runtime/rpc/error-reading.ts';
import type { Journal } from './journal.ts';

/**
 * The agent's one session. It dials, says Hello with what it holds, takes assignments and commands,
 * and sends what is in the journal, in order, until it is acknowledged. When the session ends, for
 * whatever reason, it dials again after a jittered pause; guests do not notice.
 */
export type SessionDeps = {
  readonly client: Client<typeof AgentService>;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly version: string;
  readonly roles: readonly string[];
  readonly instanceId: string;
  readonly host: () => HostFacts;
  readonly assigned: (assignment: Assignment) => void;
  readonly synced: (orphans: readonly string[]) => void;
  readonly command: (command: Command) => void;
  readonly connected: (isConnected: boolean) => void;
  /** Something came from the control plane. */
  readonly heard: () => void;
  /** The control plane refuses our certificate as revoked; dialled again when this resolves. */
  readonly revoked: () => Promise<void>;
};

export type Session = {
  /** Dials until the signal aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** There are new reports in the journal. */
  readonly nudge: () => void;
};

const SEND_BATCH = 64;
const BACKOFF_MS = [200, 500, 1_000, 2_000, 5_000, 10_000] as const;
/** Without any message from the control plane for this long, the connection is taken for dead. */
const SILENCE_HEARTBEATS = 4;

export const createSession = (deps: SessionDeps): Session => {
  let wake = () => {};
  return {
    nudge: () => wake(),
    run: async (signal) => {
      let failures = 0;
      while (!signal.aborted) {
        const begunMs = deps.clock.monotonicMs();
        try {
          await oneSession(deps, signal, (next) => {
            wake = next;
          });
        } catch (error) {
          if (signal.aborted) return;
          deps.log.info({ err: error }, 'session ended; dialling again');
          if (domainErrorOf(error)?.reason === 'CERTIFICATE_REVOKED') await deps.revoked();
        } finally {
          deps.connected(false);
        }
        failures = deps.clock.monotonicMs() - begunMs > 30_000 ? 0 : failures + 1;
        const baseMs = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length) - 1] ?? 200;
        await deps.clock.sleep(baseMs * (0.5 + deps.random.fraction()), signal).catch(() => {});
      }
    },
  };
};

const oneSession = async (
  deps: SessionDeps,
  outer: AbortSignal,
  onWake: (wake: () => void) => void,
): Promise<void> => {
  const over = new AbortController();
  const signal = AbortSignal.any([outer, over.signal]);
  const outgoing = createOutgoing(deps, signal);
  onWake(outgoing.wake);
  let lastHeardMs = deps.clock.monotonicMs();
  try {
    const incoming = deps.client.session(outgoing.messages(), { signal });
    for await (const message of incoming) {
      lastHeardMs = deps.clock.monotonicMs();
      deps.heard();
      if (message.content.case === 'welcome') {
        outgoing.welcome(message.content.value);
        deps.connected(true);
        watchSilence(message.content.value, () => lastHeardMs);
      } else if (message.content.case === 'goodbye') {
        deps.log.info(
          { reason: message.content.value.reason },
          'the control plane ends the session',
        );
        return;
      } else {
        take(deps, message);
      }
    }
  } finally {
    over.abort();
  }

  function watchSilence(welcome: Welcome, heardMs: () => number): void {
    const limitMs = heartbeatMs(welcome) * SILENCE_HEARTBEATS;
    const look = async (): Promise<void> => {
      while (!signal.aborted) {
        await deps.clock.sleep(limitMs / 4, signal);
        if (deps.clock.monotonicMs() - heardMs() > limitMs) {
          over.abort(new Error('nothing was heard from the control plane'));
        }
      }
    };
    look().catch(() => undefined);
  }
};

const heartbeatMs = (welcome: Welcome): number =>
  Math.max(
    100,
    Number(welcome.heartbeatInterval?.seconds ?? 10n) * 1000 +
      (welcome.heartbeatInterval?.nanos ?? 0) / 1e6,
  );

/** Assignments are durable before they are acted on; an older one than held is ignored. */
const take = (deps: SessionDeps, { content }: SessionResponse): void => {
  if (content.case === 'assignment') {
    const assignment = content.value;
    const isNew = deps.journal.hold({
      uid: assignment.uid,
      incarnation: assignment.incarnation,
      generation: assignment.generation,
      digest: assignment.digest,
      bytes: toBinary(AssignmentSchema, assignment),
    });
    if (isNew) deps.assigned(assignment);
  } else if (content.case === 'synced') deps.synced(content.value.orphanUids);
  else if (content.case === 'command') deps.command(content.value);
  else if (content.case === 'acknowledgement') {
    deps.journal.acknowledge(content.value.sequence);
  }
};

/**
 * What goes up: Hello, then reports in order after the last stored one, and a heartbeat when it is
 * time.
 */
const createOutgoing = (deps: SessionDeps, signal: AbortSignal) => {
  let wake = () => {};
  let welcomed: Welcome | undefined;
  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const cut = new AbortController();
      wake = () => {
        cut.abort();
        resolve();
      };
      deps.clock.sleep(ms, AbortSignal.any([cut.signal, signal])).then(resolve, () => resolve());
    });
  async function* messages(): AsyncGenerator<SessionRequest> {
    yield hello(deps);
    while (!welcomed && !signal.aborted) await wait(1_000);
    if (!welcomed) return;
    let sent = welcomed.lastSequence;
    const intervalMs = heartbeatMs(welcomed);
    let number = 0n;
    let beatAtMs = deps.clock.monotonicMs() + intervalMs * deps.random.fraction();
    while (!signal.aborted) {
      const reports = deps.journal.reportsAfter(sent, SEND_BATCH);
      for (const report of reports) {
        yield fromBinary(SessionRequestSchema, report.bytes);
        sent = report.sequence;
      }
      if (deps.clock.monotonicMs() >= beatAtMs) {
        number += 1n;
        beatAtMs += intervalMs * (0.9 + 0.2 * deps.random.fraction());
        yield create(SessionRequestSchema, { content: { case: 'heartbeat', value: { number } } });
      }
      if (reports.length < SEND_BATCH) {
        await wait(Math.max(1, beatAtMs - deps.clock.monotonicMs()));
      }
    }
  }
  return {
    messages,
    wake: () => wake(),
    welcome: (welcome: Welcome) => {
      welcomed = welcome;
      wake();
    },
  };
};

const hello = (deps: SessionDeps): SessionRequest =>
  create(SessionRequestSchema, {
    content: {
      case: 'hello',
      value: create(HelloSchema, {
        instanceId: deps.instanceId,
        journalId: deps.journal.journalId,
        version: deps.version,
        roles: [...deps.roles],
        held: deps.journal.held().map(({ uid, incarnation, generation, digest }) => ({
          uid,
          incarnation,
          generation,
          digest,
        })),
        host: deps.host(),
        lastSequence: deps.journal.lastSequence(),
      }),
    },
  });
