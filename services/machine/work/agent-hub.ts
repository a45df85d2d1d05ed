/**
 * The sessions of agents at this replica. Whoever holds the newest epoch in the agent's row owns
 * the session; every write compares it. Heartbeats touch memory only; one sweep for all notices who
 * fell silent.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { AgentHub, AgentSession, Down, Report } from '../agent-port.ts';
import { agentKey, agentKeyOf } from '../domain/capacity.ts';
import { differences } from '../domain/hello.ts';
import type { IdentityPort } from '../neighbours-port.ts';
import type { Agent, AssignmentRow, MachineWriter, Records } from '../ports.ts';
import { createGreeter, markDown, recordOrphans } from './agent-row.ts';
import { isLetGo, movedBytes } from './moved-assignment.ts';
import { createOutbox } from './outbox.ts';
import { createReportWriter } from './report-writer.ts';
import { watchSilence } from './silence.ts';

export type HubDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly writer: MachineWriter;
  readonly identity: IdentityPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Unique for each start of a process. */
  readonly replica: { readonly id: string; readonly address: string };
  readonly heartbeatMs: number;
  /** An agent is there and has all that it is to have; its providers can be opened. */
  readonly onSynced: (session: AgentSession) => void;
  readonly onEnded: (session: AgentSession) => void;
  readonly onCommandResult: (report: Extract<Report, { kind: 'command-result' }>) => void;
  /** What an agent reported is stored. */
  readonly onStored: (session: AgentSession, reports: readonly Report[]) => void;
};

const OUTBOX_MAX = 4_096;
/** The agent takes four heartbeats of silence for a dead connection. */
const QUIET_BEATS_MAX = 2;

export const createAgentHub = (deps: HubDeps): AgentHub => {
  const greeter = createGreeter(deps);
  const byKey = new Map<string, AgentSession>();
  /** Servers, and to whose agent each was addressed when this replica last looked. */
  const servers = new Map<string, string>();
  const downs = createDownQueue(deps);
  const close = (session: AgentSession, why: string): void => {
    if (session.isClosed) return;
    session.isClosed = true;
    session.outbox.push({ kind: 'goodbye', reason: why });
    session.outbox.end();
    session.onRoom?.();
    if (byKey.get(session.agentKey) === session) byKey.delete(session.agentKey);
    deps.log.info({ agent: session.name, epoch: session.epoch, why }, 'agent session ended');
    downs.add(session, why);
    deps.onEnded(session);
  };
  const send = (session: AgentSession, message: Down): void => {
    session.quietBeats = 0;
    if (!session.outbox.push(message)) close(session, 'SLOW_WATCHER');
  };
  const reports = createReportWriter({
    ...deps,
    expel: close,
    stored: (session, stored) => {
      send(session, { kind: 'acknowledged', sequence: session.storedSequence });
      for (const one of stored) if (one.kind === 'command-result') deps.onCommandResult(one);
      deps.onStored(session, stored);
    },
  });
  return {
    open: async (hello, signal) => open(deps, { byKey, close }, await greeter.greet(hello, signal)),
    sendDifferences: async (session, held) => {
      const rows = await deps.store.read((reader) =>
        deps.records.assignments.ofAgent(reader, session.agentKey),
      );
      const { send: lacking, orphans } = differences(held, rows);
      for (const row of rows) if (row.isServer) servers.set(row.uid, session.agentKey);
      const holds = new Set(held.map(({ uid }) => uid));
      for (const row of lacking) {
        if (session.isClosed) break;
        // Who holds it may be away through all of a deletion; who does not has nothing to let go.
        if (row.gone && !(holds.has(row.uid) && isLetGo(row))) continue;
        await session.outbox.room();
        send(session, { kind: 'assignment', bytes: row.bytes });
      }
      const elsewhere = await movedServers(deps, orphans);
      for (const row of elsewhere) send(session, { kind: 'assignment', bytes: movedBytes(row) });
      const nobodys = orphans.filter((uid) => elsewhere.every((row) => row.uid !== uid));
      send(session, { kind: 'synced', orphans: nobodys });
      if (nobodys.length > 0) await recordOrphans(deps, session, nobodys);
      session.isSynced = true;
      if (!session.isClosed) deps.onSynced(session);
    },
    heard: (session, isHeartbeat) => {
      session.lastHeardMs = deps.clock.monotonicMs();
      if (!isHeartbeat) return;
      session.quietBeats += 1;
      if (session.quietBeats < QUIET_BEATS_MAX) return;
      send(session, { kind: 'acknowledged', sequence: session.storedSequence });
    },
    report: (session, report) => {
      session.lastHeardMs = deps.clock.monotonicMs();
      return reports.submit(session, report);
    },
    close,
    sessionOf: (key) => byKey.get(key),
    sessions: () => byKey.values(),
    deliver: (rows) => {
      for (const row of rows) {
        const isToldOf = !row.gone || isLetGo(row);
        const session = isToldOf ? byKey.get(row.agentKey) : undefined;
        if (session !== undefined) send(session, { kind: 'assignment', bytes: row.bytes });
        if (!row.isServer) continue;
        const before = byKey.get(servers.get(row.uid) ?? row.agentKey);
        if (row.gone) servers.delete(row.uid);
        else servers.set(row.uid, row.agentKey);
        // Whoever had it must let go, or two would work at one controller.
        if (before !== undefined && before.agentKey !== row.agentKey) {
          send(before, { kind: 'assignment', bytes: movedBytes(row) });
        }
      }
    },
    compare: async (agentUids) => {
      const rows = await deps.store.read((reader) =>
        deps.records.agents.findMany(reader, agentUids),
      );
      for (const row of rows) {
        const session = byKey.get(agentKeyOf(row));
        if (session === undefined) continue;
        if (session.epoch < row.epoch) close(session, 'SUPERSEDED');
        else if (row.state === 'drained') for (const end of session.consoles) end();
      }
    },
    work: async (signal) => {
      await Promise.all([
        reports.work(signal),
        watchSilence({ ...deps, sessions: () => byKey.values(), close }, signal),
        downs.work(signal),
      ]);
    },
  };
};

type Sessions = {
  readonly byKey: Map<string, AgentSession>;
  readonly close: (session: AgentSession, why: string) => void;
};

const open = (deps: HubDeps, { byKey, close }: Sessions, agent: Agent): AgentSession => {
  const name = `partitions/${agent.partition}/agents/${agent.agentId}`;
  const key = agentKey(name);
  const session: AgentSession = {
    agentUid: agent.uid,
    name,
    partition: agent.partition,
    agentKey: key,
    epoch: agent.epoch,
    storedSequence: agent.lastSequence,
    lastHeardMs: deps.clock.monotonicMs(),
    quietBeats: 0,
    outbox: createOutbox(OUTBOX_MAX),
    consoles: new Set(),
    reports: [],
    onRoom: undefined,
    isSynced: false,
    failure: undefined,
    isClosed: false,
  };
  // First of all: what is assigned to it may come at any moment from now on.
  session.outbox.push({ kind: 'welcome' });
  const before = byKey.get(key);
  // Two Hellos of one agent may overtake each other here; the row says which is newer.
  if (before !== undefined && before.epoch > session.epoch) {
    session.isClosed = true;
    session.outbox.end();
    return session;
  }
  byKey.set(key, session);
  if (before !== undefined) close(before, 'SUPERSEDED');
  return session;
};

/** Of what the agent holds: servers that another agent of the pool has now. */
const movedServers = async (
  { store, records }: HubDeps,
  uids: readonly string[],
): Promise<readonly AssignmentRow[]> => {
  if (uids.length === 0) return [];
  const rows = await store.read((reader) => records.assignments.findMany(reader, uids));
  return rows.filter((row) => row.isServer);
};

/**
 * Sessions that ended are marked down many in one transaction: a network that breaks ends thousands
 * at once.
 */
const createDownQueue = (deps: HubDeps) => {
  let waiting: { readonly session: AgentSession; readonly why: string }[] = [];
  let bell = Promise.withResolvers<void>();
  const flush = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, 256);
      await markDown(deps, batch);
      waiting = waiting.slice(batch.length);
    }
  };
  return {
    add: (session: AgentSession, why: string): void => {
      waiting.push({ session, why });
      bell.resolve();
    },
    work: async (signal: AbortSignal): Promise<void> => {
      const onAbort = () => bell.resolve();
      signal.addEventListener('abort', onAbort, { once: true });
      while (!signal.aborted) {
        bell = Promise.withResolvers<void>();
        try {
          await flush();
        } catch (error) {
          deps.log.warn({ err: error }, 'agents cannot be marked down now');
          await deps.clock.sleep(1_000, signal).catch(() => undefined);
          continue;
        }
        if (waiting.length === 0) await bell.promise;
      }
      // The last ones; where it fails, the sweeper of another replica marks them.
      await flush().catch(() => undefined);
    },
  };
};
