/**
 * Stores what agents report: one transaction for many reports of many sessions. Each session's row
 * is locked and its epoch compared first, so a session that was superseded writes nothing.
 * Acknowledged is what is committed.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { AgentSession, Report } from '../agent-port.ts';
import { discreetEvent, discreetSight } from '../domain/discreet.ts';
import { aboutMachine, type EventRecord } from '../domain/event.ts';
import type { Machine } from '../domain/machine.ts';
import { applyObservation } from '../domain/observe.ts';
import { controllerIn } from '../order-port.ts';
import type { AssignmentRow, MachineWriter, Records } from '../ports.ts';

export type ReportWriter = {
  /** Resolves when there is room for the next one; at once in general. */
  readonly submit: (session: AgentSession, report: Report) => Promise<void> | undefined;
  /** Stores until the signal aborts. */
  readonly work: (signal: AbortSignal) => Promise<void>;
};

export type ReportWriterDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly writer: MachineWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The session was superseded or cannot be served: end it. */
  readonly expel: (session: AgentSession, reason: string) => void;
  readonly stored: (session: AgentSession, reports: readonly Report[]) => void;
};

/** Of one session; its reader waits beyond that, and so does the agent. */
const SESSION_REPORTS_MAX = 128;
const BATCH_REPORTS_MAX = 256;
const AWAY_MS = 500;

export const createReportWriter = (deps: ReportWriterDeps): ReportWriter => {
  const pending = new Set<AgentSession>();
  let bell = Promise.withResolvers<void>();
  const submit: ReportWriter['submit'] = (session, report) => {
    if (report.sequence !== 0 && report.sequence <= newestOf(session)) return undefined;
    session.reports.push(report);
    pending.add(session);
    bell.resolve();
    if (session.reports.length < SESSION_REPORTS_MAX) return undefined;
    return new Promise((resolve) => {
      session.onRoom = resolve;
    });
  };
  const take = (): Batch[] => {
    const batches: Batch[] = [];
    let room = BATCH_REPORTS_MAX;
    for (const session of pending) {
      if (room <= 0) break;
      pending.delete(session);
      if (session.isClosed || session.reports.length === 0) continue;
      const reports = session.reports.slice(0, room);
      room -= reports.length;
      batches.push({ session, reports });
    }
    return batches;
  };
  const work = async (signal: AbortSignal): Promise<void> => {
    const onAbort = () => bell.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!signal.aborted) {
      const batches = take();
      if (batches.length === 0) {
        bell = Promise.withResolvers<void>();
        if (pending.size === 0) await bell.promise;
        continue;
      }
      const isStored = await storeAll(deps, batches);
      for (const { session } of batches) {
        if (session.reports.length > 0) pending.add(session);
      }
      if (!isStored) await deps.clock.sleep(AWAY_MS, signal).catch(() => undefined);
    }
  };
  return { submit, work };
};

type Batch = { readonly session: AgentSession; readonly reports: readonly Report[] };

const newestOf = (session: AgentSession): number =>
  session.reports.at(-1)?.sequence ?? session.storedSequence;

/** False: the database is away, and everything stays where it is. */
const storeAll = async (deps: ReportWriterDeps, batches: readonly Batch[]): Promise<boolean> => {
  try {
    await storeTogether(deps, batches);
    return true;
  } catch (error) {
    if (isDomainError(error, 'unavailable')) {
      deps.log.warn({ err: error }, 'reports of agents cannot be stored now');
      return false;
    }
    const [only] = batches;
    if (batches.length === 1 && only !== undefined) {
      deps.log.error({ err: error, agent: only.session.name }, 'a report cannot be stored');
      deps.expel(only.session, 'INTERNAL');
      return true;
    }
    // One of them is the cause: alone it shows which, and the others are not held up by it.
    for (const batch of batches) await storeAll(deps, [batch]);
    return true;
  }
};

const storeTogether = async (deps: ReportWriterDeps, batches: readonly Batch[]): Promise<void> => {
  const stale = await deps.store.transaction(
    undefined,
    { principal: 'services/machine', requestId: 'agent reports' },
    async (tx) => {
      const superseded = new Set<AgentSession>();
      // In the order of uids, so that two replicas never wait for each other.
      for (const { session, reports } of sortedBySession(batches)) {
        const lastSequence = reports.at(-1)?.sequence ?? 0;
        const { agentUid: uid, epoch } = session;
        const isCurrent = await deps.records.agents.fence(tx, { uid, epoch, lastSequence });
        if (!isCurrent) superseded.add(session);
      }
      const current = batches.filter(({ session }) => !superseded.has(session));
      await writeReports(deps, tx, current);
      return superseded;
    },
  );
  for (const { session, reports } of batches) {
    session.reports.splice(0, reports.length);
    if (stale.has(session)) deps.expel(session, 'SUPERSEDED');
    else {
      session.storedSequence = Math.max(session.storedSequence, reports.at(-1)?.sequence ?? 0);
      deps.stored(session, reports);
    }
    session.onRoom?.();
    session.onRoom = undefined;
  }
};

const sortedBySession = (batches: readonly Batch[]): readonly Batch[] =>
  batches.toSorted((a, b) => (a.session.agentUid < b.session.agentUid ? -1 : 1));

const writeReports = async (
  deps: ReportWriterDeps,
  tx: Tx,
  batches: readonly Batch[],
): Promise<void> => {
  const targets = new Set<string>();
  for (const { reports } of batches) {
    for (const report of reports) {
      if (report.kind === 'observation') targets.add(report.uid);
      if (report.kind === 'event' && report.targetUid !== '') targets.add(report.targetUid);
    }
  }
  const rows = await deps.records.assignments.findMany(tx, [...targets]);
  const addressed = new Map(rows.map((row) => [row.uid, row]));
  const machines = await deps.records.machines.findMany(tx, [...addressed.keys()]);
  const known = new Map(machines.map((machine) => [machine.uid, machine]));
  await writeEvents(deps, tx, { batches, addressed, known });
  await writeObservations(deps, tx, { batches, addressed });
};

type Context = {
  readonly batches: readonly Batch[];
  readonly addressed: ReadonlyMap<string, AssignmentRow>;
};

const writeEvents = async (
  deps: ReportWriterDeps,
  tx: Tx,
  { batches, addressed, known }: Context & { readonly known: ReadonlyMap<string, Machine> },
): Promise<void> => {
  const recordMs = deps.clock.now().getTime();
  const events: EventRecord[] = [];
  for (const { session, reports } of batches) {
    for (const report of reports) {
      if (report.kind !== 'event') continue;
      // An agent speaks for itself and for what it was given, and for nothing else.
      const isIts = addressed.get(report.targetUid)?.agentKey === session.agentKey;
      const machine = isIts ? known.get(report.targetUid) : undefined;
      const about = machine === undefined ? aboutAgent(session) : aboutMachine(machine);
      const hidden = machine === undefined ? [] : addressesOf(addressed.get(machine.uid));
      events.push({
        ...discreetEvent(report.draft, hidden),
        ...about,
        uid: deps.random.uid(),
        recordMs,
        principal: `agents/${session.agentUid}`,
        operation: '',
      });
    }
  }
  if (events.length > 0) await deps.records.events.insert(tx, events);
};

export const aboutAgent = (session: Pick<AgentSession, 'name' | 'partition' | 'agentUid'>) => ({
  partition: session.partition,
  project: '',
  target: session.name,
  targetUid: session.agentUid,
});

const writeObservations = async (
  deps: ReportWriterDeps,
  tx: Tx,
  { batches, addressed }: Context,
): Promise<void> => {
  // Only the newest word on each object counts.
  const newest = new Map<string, Extract<Report, { kind: 'observation' }>>();
  for (const { session, reports } of batches) {
    for (const report of reports) {
      if (report.kind !== 'observation') continue;
      if (addressed.get(report.uid)?.agentKey === session.agentKey) newest.set(report.uid, report);
    }
  }
  for (const uid of [...newest.keys()].toSorted()) {
    const report = newest.get(uid);
    if (report === undefined) continue;
    const seen = discreetSight(report.seen, addressesOf(addressed.get(uid)));
    await writeObservation(deps, tx, { ...report, seen });
  }
};

/** Where the controller of a server is; empty: it is no server. */
const addressesOf = (row: AssignmentRow | undefined): readonly string[] => {
  const controller = row?.isServer === true ? controllerIn(row) : undefined;
  return controller === undefined ? [] : [controller.address, controller.ipmiAddress];
};

const writeObservation = async (
  { records, writer, clock }: ReportWriterDeps,
  tx: Tx,
  { uid, seen }: Extract<Report, { kind: 'observation' }>,
): Promise<void> => {
  const machine = await records.machines.lock(tx, uid);
  if (machine === undefined) return;
  if (seen.gone) await records.assignments.markGone(tx, uid);
  const after = applyObservation(machine, seen, clock.now().getTime());
  await writer.write(tx, {
    machine: after.machine,
    events: after.events,
    assignment: after.rewrite ? 'put' : null,
    principal: '',
    operation: '',
  });
};
