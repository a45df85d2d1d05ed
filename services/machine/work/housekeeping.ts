/** Old rows, agents of dead replicas and revoked ones: any replica may sweep these. */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { Coordination } from '../../store/coordination/port.ts';
import { listRevoked } from '../../store/coordination/revocations.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { lostSessions, NO_SUSPECTS, type Suspects } from '../domain/lost-sessions.ts';
import type { IdentityPort } from '../neighbours-port.ts';
import type { Records } from '../ports.ts';
import { markLost, markRevoked } from './agent-row.ts';

export type HousekeepingDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly identity: IdentityPort;
  readonly coordination: Coordination;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly replica: { readonly id: string; readonly address: string };
  /** Ids of the replicas that are alive; undefined while nobody knows. */
  readonly replicas: () => readonly string[] | undefined;
  readonly sweepMs: number;
  /** How long a dead replica counts as alive, and half of it how long one may be unheard of. */
  readonly memberLeaseMs: number;
};

const BITE = 200;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const KEPT = {
  goneMs: DAY_MS,
  operationsMs: 30 * DAY_MS,
  eventsMs: 90 * DAY_MS,
  uploadMs: HOUR_MS,
  // The scheduler shows a claim that has ended for a day.
  cleaningsMs: 2 * DAY_MS,
};
/** Old rows need no haste. */
const ROWS_EVERY = 12;
const ACTOR = { principal: 'services/machine', requestId: 'housekeeping' };

export const keepHouse = async (deps: HousekeepingDeps, signal: AbortSignal): Promise<void> => {
  let suspects = NO_SUSPECTS;
  for (let turn = 0; !signal.aborted; turn += 1) {
    try {
      suspects = await sweepAgents(deps, suspects);
      await sweepRevoked(deps, signal);
      if (turn % ROWS_EVERY === 0) await sweepRows(deps, signal);
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ err: error }, 'housekeeping failed');
    }
    await deps.clock.sleep(deps.sweepMs, signal).catch(() => undefined);
  }
};

const sweepAgents = async (deps: HousekeepingDeps, before: Suspects): Promise<Suspects> => {
  const alive = deps.replicas();
  if (alive === undefined) return before;
  // This replica is alive whatever the members say: a lost registration must not cut its own
  // sessions.
  const ids = [...new Set([...alive, deps.replica.id])];
  await sweepConsoles(deps, ids);
  const away = await deps.store.read((r) => deps.records.agents.upElsewhere(r, ids, BITE));
  const { lost, suspects } = lostSessions(away, before, {
    nowMs: deps.clock.monotonicMs(),
    patienceMs: deps.memberLeaseMs / 2,
  });
  if (lost.length === 0) return suspects;
  const count = await markLost(deps, lost);
  deps.log.warn({ count }, 'agents of lost replicas were marked down');
  return suspects;
};

/** Consoles that were bridged by replicas that are gone. */
const sweepConsoles = async (
  { store, records }: HousekeepingDeps,
  replicas: readonly string[],
): Promise<void> => {
  const lost = await store.read((reader) => records.consoles.lost(reader, replicas));
  if (lost.length === 0) return;
  await store.transaction(undefined, ACTOR, async (tx) => {
    for (const uid of lost) await records.consoles.remove(tx, uid);
  });
};

/** The listener cuts a revoked agent off; here it is shown as what it is. */
const sweepRevoked = async (deps: HousekeepingDeps, signal: AbortSignal): Promise<void> => {
  const uids = (await listRevoked(deps.coordination, signal)).map(({ uid }) => uid);
  for (let at = 0; at < uids.length; at += BITE) {
    const bite = uids.slice(at, at + BITE);
    const agents = await deps.store.read((reader) => deps.records.agents.findMany(reader, bite));
    const shownOtherwise = agents.filter(({ state }) => state !== 'revoked');
    if (shownOtherwise.length === 0) continue;
    const count = await markRevoked(deps, shownOtherwise);
    if (count > 0) deps.log.info({ count }, 'agents were revoked');
  }
};

const sweepRows = async (deps: HousekeepingDeps, signal: AbortSignal): Promise<void> => {
  const { store, records } = deps;
  const before = (keptMs: number) => deps.clock.now().getTime() - keptMs;
  const bite = async (work: () => Promise<number>): Promise<void> => {
    while (!signal.aborted && (await work()) >= BITE);
  };
  await bite(() =>
    store.transaction(undefined, ACTOR, async (tx) => {
      const uids = await records.machines.removeGone(tx, before(KEPT.goneMs), BITE);
      await records.assignments.remove(tx, uids);
      return uids.length;
    }),
  );
  await bite(() =>
    store.transaction(undefined, ACTOR, (tx) =>
      records.operations.removeDone(tx, before(KEPT.operationsMs), BITE),
    ),
  );
  await bite(() =>
    store.transaction(undefined, ACTOR, (tx) =>
      records.events.removeOld(tx, before(KEPT.eventsMs), BITE),
    ),
  );
  await bite(() =>
    store.transaction(undefined, ACTOR, (tx) =>
      records.claimNews.removeEnded(tx, before(KEPT.eventsMs), BITE),
    ),
  );
  await bite(() =>
    store.transaction(undefined, ACTOR, (tx) =>
      records.tasks.removeEnded(tx, before(KEPT.operationsMs), BITE),
    ),
  );
  await bite(() =>
    store.transaction(undefined, ACTOR, (tx) =>
      records.cleanings.removeDone(tx, before(KEPT.cleaningsMs), BITE),
    ),
  );
  await store.transaction(undefined, ACTOR, (tx) =>
    records.consoleTokens.removeExpired(tx, before(0)),
  );
  await store.transaction(undefined, ACTOR, (tx) =>
    records.hardware.removeOldOrders(tx, before(HOUR_MS)),
  );
  const unused = await store.read((r) => records.artifacts.unused(r, before(KEPT.uploadMs), BITE));
  for (const uid of unused) {
    if (signal.aborted) return;
    await store.transaction(undefined, ACTOR, (tx) => records.artifacts.drop(tx, uid));
  }
};
